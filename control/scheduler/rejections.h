// Rejections: by which of kube-scheduler's plugins a pod was kept from every node, as scheduler_unschedulable_pods
// counts it. Worked out from the reasons that FailedScheduling counts, which name each plugin's refusals by its own
// sentences. Values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minik::control {

// Of a pod that asks for devices: they are a driver's to give, and there is none.
inline constexpr std::string_view kNobodyAllocates = "pod asks for resource claims, which nothing here allocates";

class Rejections {
 public:
  // A sentence that refuses one node, or all of them.
  void add(std::string_view reason);
  bool empty() const { return plugins_ == 0; }
  std::vector<std::string_view> plugins() const;
  bool operator==(const Rejections&) const = default;
  auto operator<=>(const Rejections&) const = default;

 private:
  uint32_t plugins_ = 0;  // a bit each
};

}  // namespace minik::control
