#include <gmock/gmock.h>

#include "fake_shell.hpp"

namespace schakel::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

using Program = Terminal;

TEST_F(Program, shows_its_commands_and_refuses_to_guess_without_one) {
  EXPECT_EQ(run({}), 2);
  EXPECT_THAT(err.str(), HasSubstr("config"));
  EXPECT_EQ(out.str(), "");
}

TEST_F(Program, prints_help_with_an_example_on_standard_output) {
  EXPECT_EQ(run({"config", "check", "--help"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("Example:\n  schakel config check --config"));
  EXPECT_EQ(err.str(), "");
}

TEST_F(Program, names_an_unknown_command_and_ends_with_2) {
  EXPECT_EQ(run({"frobnicate"}), 2);
  EXPECT_THAT(err.str(), HasSubstr("frobnicate"));
  EXPECT_THAT(err.str(), HasSubstr("--help"));
}

TEST_F(Program, refuses_an_unknown_output_format) {
  EXPECT_EQ(run({"version", "--output", "xml"}), 2);
  EXPECT_THAT(err.str(), HasSubstr("table, json or csv"));
}

// SEC-071: never from the command line, and not repeated in the error.
TEST_F(Program, refuses_secrets_on_the_command_line_without_repeating_them) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"version", "--api-key", "sk_live_geheim"},
                                                                     {"version", "--api-key=sk_live_geheim"},
                                                                     {"version", "--password", "sk_live_geheim"},
                                                                     {"version", "sk_live_geheim"},
                                                                     {"sk_live_geheim"},
                                                                     {"version", "--output", "sk_live_geheim"},
                                                                     {"version", "--output=sk_live_geheim"}}) {
    EXPECT_EQ(run(arguments), 2) << arguments.back();
    EXPECT_THAT(err.str() + out.str(), Not(HasSubstr("geheim"))) << arguments.back();
  }
  run({"version", "--api-key", "sk_live_geheim"});
  EXPECT_THAT(err.str(), HasSubstr("SCHAKEL_API_KEY"));
}

TEST_F(Program, prints_its_version_as_table_json_and_csv) {
  EXPECT_EQ(run({"version"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("schakel   " SCHAKEL_VERSION));
  EXPECT_EQ(run({"version", "--json"}), 0);
  EXPECT_EQ(Json::parse(out.str())["version"], SCHAKEL_VERSION);
  EXPECT_EQ(run({"version", "--output", "csv"}), 0);
  EXPECT_THAT(out.str(), testing::StartsWith("version,apiVersion,compiler\r\n" SCHAKEL_VERSION ","));
}

TEST_F(Program, completes_nouns_verbs_and_options_in_bash) {
  EXPECT_EQ(run({"completion", "bash"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("\"schakel config\") words=\"check show"));
  EXPECT_THAT(out.str(), HasSubstr("\"schakel config show\") words=\"--help --output --json --config\""));
}

// ADP-806
TEST_F(Program, config_check_names_every_fault_with_line_and_key) {
  const auto path = file("schakel.toml", "[node]\nname = \"a\"\n[listeners.external]\nbnd = \"1\"\n[limits]\nmessage-max = \"huge\"\n");
  EXPECT_EQ(run({"config", "check", "--config", path}), 2);
  EXPECT_THAT(err.str(), HasSubstr("schakel.toml:4"));
  EXPECT_THAT(err.str(), HasSubstr("bnd"));
  EXPECT_THAT(err.str(), HasSubstr("schakel.toml:6"));
  EXPECT_EQ(run({"config", "check", "--config", path, "--json"}), 2);
  EXPECT_EQ(Json::parse(out.str()).size(), 2U);
}

// ADP-806
TEST_F(Program, config_check_is_content_with_a_good_file_and_reports_a_missing_one) {
  const auto path = file("schakel.toml", "[node]\nname = \"a\"\n");
  EXPECT_EQ(run({"config", "check", "--config", path}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("no faults"));
  EXPECT_EQ(run({"config", "check", "--config", path + ".absent"}), 2);
}

// ADP-806: overrides from the environment; secrets are shown as references only.
TEST_F(Program, config_show_prints_values_with_their_source_and_never_a_secret) {
  const auto path = file(
      "schakel.toml",
      "[node]\nname = \"a\"\n[database]\nurl = \"postgresql://schakel:geheim@db/schakel\"\n[oidc]\nclient-secret = \"env:OIDC_SECRET\"\n");
  environment = {{"OIDC_SECRET", "zeer-geheim"}, {"SCHAKEL_LOG__LEVEL", "debug"}};
  EXPECT_EQ(run({"config", "show", "--config", path}), 0) << err.str();
  EXPECT_THAT(out.str(), HasSubstr("env:OIDC_SECRET"));
  EXPECT_THAT(out.str(), HasSubstr("SCHAKEL_LOG__LEVEL"));
  EXPECT_THAT(out.str(), Not(HasSubstr("geheim")));
}

}  // namespace
}  // namespace schakel::cli
