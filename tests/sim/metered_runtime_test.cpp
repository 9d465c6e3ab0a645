// What a node agent's runtime is asked, as its metrics tell it.
#include "control/kubelet/metered_runtime.h"

#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

class MeteredOperations : public VirtualApi {
 protected:
  MeteredOperations() : VirtualApi("system:node:a") {}

  // Asks, waits for the answer, and says whether it was a success.
  template <typename T, typename Ask>
  bool asks(Ask ask) {
    bool success = false;
    ask([&success](const Result<T>& result) { success = result.ok(); });
    run(minutes(1));
    return success;
  }
  bool shows(const std::string& line) { return metrics.text().find(line + "\n") != std::string::npos; }

  Surroundings surroundings{{ImageBehaviour{}}};
  SimulatedRuntime runtime{executor, Rng(2), surroundings, "a", 0x0af40100};
  MeteredRuntime metered{executor, runtime, metrics};
};

TEST_F(MeteredOperations, AreCountedAndTimed) {
  ASSERT_TRUE(asks<ImageStatus>([&](auto done) { metered.pull_image("web:1", {}, std::move(done)); }));
  EXPECT_TRUE(shows("kubelet_runtime_operations_total{operation_type=\"pull_image\"} 1"));
  EXPECT_TRUE(shows("kubelet_runtime_operations_duration_seconds_count{operation_type=\"pull_image\"} 1"));
  EXPECT_FALSE(shows("kubelet_runtime_operations_errors_total{operation_type=\"pull_image\"} 1"));
}

TEST_F(MeteredOperations, ThatFailAreErrorsAndAnAbsentImageIsNone) {
  EXPECT_FALSE(asks<ImageStatus>([&](auto done) { metered.find_image("never:1", std::move(done)); }));
  EXPECT_TRUE(shows("kubelet_runtime_operations_total{operation_type=\"image_status\"} 1"));
  EXPECT_FALSE(shows("kubelet_runtime_operations_errors_total{operation_type=\"image_status\"} 1"));
  surroundings.registry.push_back({"*", 0});
  EXPECT_FALSE(asks<ImageStatus>([&](auto done) { metered.pull_image("web:1", {}, std::move(done)); }));
  EXPECT_TRUE(shows("kubelet_runtime_operations_errors_total{operation_type=\"pull_image\"} 1"));
}

}  // namespace
}  // namespace minik::sim
