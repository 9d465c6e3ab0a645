// What a method and path ask for, by the shape of the path alone, whether there is such a resource or not: who may not
// ask for something is not told that it is not there. Kubernetes' RequestInfo. A pure function on bytes from outside.
#pragma once

#include <string>
#include <string_view>

#include "control/access/attributes.h"

namespace minik::control {

struct PathAttributes {
  std::string verb, group, resource, subresource, namespace_, name;
  std::string path;  // of what is no resource

  // Points into this.
  Attributes view() const { return {verb, group, resource, subresource, namespace_, name, path}; }
};

PathAttributes attributes_of_path(std::string_view method, std::string_view path);

}  // namespace minik::control
