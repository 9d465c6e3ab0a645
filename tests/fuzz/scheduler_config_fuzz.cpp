// A KubeSchedulerConfiguration, from the text to scores: what is read can be scored with, and what is refused says why.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/object/yaml.h"
#include "control/scheduler/room.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto documents = parse_yaml({reinterpret_cast<const char*>(data), size}, "config.yaml");
  if (!documents || documents->empty()) return 0;
  const auto configuration = configuration_from((*documents)[0].value);
  if (!configuration) {
    CHECK(!configuration.error().message.empty());
    return 0;
  }
  CHECK(!configuration->profiles.empty());
  CHECK(configuration->back_off.first <= configuration->back_off.last);
  NodeEntry node;
  node.allocatable.milli_cpu = 4000;
  node.allocatable.memory_bytes = int64_t{8} << 30;
  node.allocatable.extended = {{"example.com/gpu", 4}};
  const auto demand = std::make_shared<PodDemand>();
  demand->requests.milli_cpu = demand->requests.scored_milli_cpu = 500;
  demand->requests.extended = {{"example.com/gpu", 1}};
  for (const auto& profile : configuration->profiles) {
    CHECK(!profile.name.empty());
    const int64_t allocation = allocation_score(profile, *without_ignored(profile, demand), node);
    const int64_t balance = balance_score(profile, *demand, node);
    CHECK(allocation >= 0 && allocation <= 100) << allocation;
    CHECK(balance >= 0 && balance <= 100) << balance;
  }
  return 0;
}
