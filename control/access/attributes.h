// What somebody wants to do, as the authorizers are asked: a verb on a resource, or on a path that is none.
// The texts belong to the asker.
#pragma once

#include <string>
#include <string_view>

namespace minik::control {

struct Attributes {
  std::string_view verb;
  std::string_view group, resource, subresource, namespace_, name;
  std::string_view path = {};  // of what is no resource; empty for resources
  std::string_view field_selector = {};
};

// An authorizer only allows; what none allows is forbidden.
struct Decision {
  bool allowed = false;
  std::string reason;  // of either answer; may be empty
};

}  // namespace minik::control
