#include "wus/service.hpp"

namespace schakel::wus {

std::string_view to_string(Profile profile) {
  switch (profile) {
    case Profile::be:
      return "2W-be";
    case Profile::be_s:
      return "2W-be-S";
    case Profile::be_se:
      return "2W-be-SE";
  }
  return {};
}

std::optional<Profile> profile_from(std::string_view text) {
  for (const auto profile : {Profile::be, Profile::be_s, Profile::be_se})
    if (text == to_string(profile)) return profile;
  return std::nullopt;
}

}  // namespace schakel::wus
