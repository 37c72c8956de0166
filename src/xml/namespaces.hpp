// Namespace names that no canonical form may show.
#pragma once

#include "xml/document.hpp"

namespace schakel::xml {

// Not empty, and without a scheme (RFC 3986, 3.1). Canonical XML 1.0 (1.3) is undefined for relative namespace names.
bool is_relative_namespace(const char* uri);

// The first element at or below `top` that declares a relative namespace name, used or not; absent: there is none, so that every element
// has a canonical form.
Element relative_namespace_in(Element top);

}  // namespace schakel::xml
