// IDs and what refers to them (rules V04, V05): a schema engine checks neither the kind of the target nor the party it belongs to
// (CPA-003).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "xml/document.hpp"

namespace schakel::cpa {

struct ReferenceFault {
  std::string path, message;
};

// All IDs of one document, in one walk. Views live as long as the document.
class References {
 public:
  explicit References(xml::Element root);

  // V05
  const std::vector<ReferenceFault>& duplicates() const { return duplicates_; }
  // V04: references that hit nothing, the wrong kind of element, the wrong PartyInfo or the wrong direction.
  std::vector<ReferenceFault> faults() const;

  // The element that carries the ID, for the paths of findings; none when there is none.
  xml::Element element(std::string_view id) const;

 private:
  struct Target {
    xml::Element element;
    int party = -1;         // index of the PartyInfo it stands in; -1: outside
    bool can_send = false;  // of a ThisPartyActionBinding: the direction of its parent
  };
  struct Reference {
    xml::Element element;
    std::string_view kind;  // names of the elements that it may hit, separated by '|'
    std::string id;
    int party = -1;
  };

  void visit(xml::Element, int party);
  void note_ids(xml::Element, int party);
  void note_references(xml::Element, int party);
  std::string fault_of(const Reference&) const;

  std::unordered_map<std::string, Target> targets_;
  std::vector<Reference> references_;
  std::vector<ReferenceFault> duplicates_;
};

}  // namespace schakel::cpa
