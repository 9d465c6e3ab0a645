// Manifests, scenarios and Compose files. What is read must come back the same from what is
// written.
#include "control/object/yaml.h"

#include <cstdint>
#include <string>

#include "control/base/check.h"
#include "control/object/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto documents = parse_yaml({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  if (!documents) return 0;
  for (const auto& document : *documents) {
    const std::string json = to_json(document.value);
    if (!parse_json(json)) continue;  // not UTF-8, or beyond JSON's numbers
    const std::string yaml = to_yaml(document.value);
    const auto again = parse_yaml(yaml);
    CHECK(again.ok()) << json << "\n" << yaml;
    CHECK(again->size() == 1 && to_json((*again)[0].value) == json) << json << "\n" << yaml;
  }
  return 0;
}
