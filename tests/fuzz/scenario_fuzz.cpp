// Scenario files and what is injected: whatever the bytes are, they are taken or refused with a place.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "sim/agreement/comparable.h"
#include "sim/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = minik::sim::parse_scenario(text, "fuzz.yaml");
  if (!scenario) {
    CHECK(scenario.error().message.find("fuzz.yaml") != std::string::npos) << scenario.error().message;
  } else if (const auto both = minik::sim::comparable(*scenario, text, "fuzz.yaml", 3); !both) {
    CHECK(both.error().message.starts_with("fuzz.yaml:")) << both.error().message;
  }
  const auto actions = minik::sim::parse_actions(text, "fuzz.yaml");
  if (actions) {
    CHECK(!actions->empty());
  }
  return 0;
}
