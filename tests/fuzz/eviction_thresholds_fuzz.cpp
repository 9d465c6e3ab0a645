// What --eviction-hard is given: thresholds that are read are amounts of what there is, and what is refused says why.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/kubelet/eviction_signals.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto thresholds = parse_eviction_thresholds({reinterpret_cast<const char*>(data), size});
  if (!thresholds) {
    CHECK(!thresholds.error().message.empty());
    return 0;
  }
  constexpr int64_t kCapacity = int64_t{1} << 50;
  for (const auto& [signal, threshold] : *thresholds) {
    CHECK(threshold.of(kCapacity) > 0) << name_of(signal);
    CHECK(threshold.share == 0 || threshold.of(kCapacity) <= kCapacity) << name_of(signal);
    CHECK(shortages(*thresholds, {{signal, {kCapacity, 0}}}).size() == 1) << name_of(signal);
  }
  return 0;
}
