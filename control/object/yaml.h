// YAML text to documents, as Kubernetes' clients read manifests: several documents in a stream, YAML 1.1's
// words for booleans, quoted scalars always strings. Errors say file:line. Depth, size and the expansion
// of aliases are bounded. And documents to YAML, as `kubectl -o yaml` prints them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

struct YamlDocument {
  Value value;
  int line = 1;  // where it starts
  // Lines of mapping entries by path ("spec.nodes[0].count"), for errors that name the place.
  std::map<std::string, int> lines;
};

// `name` stands before the line in errors: "rollout.yaml:12: …". Empty documents are left out.
Result<std::vector<YamlDocument>> parse_yaml(std::string_view text, std::string_view name = "input");

std::string to_yaml(const Value& value);

}  // namespace minik::control
