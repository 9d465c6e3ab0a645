// The metrics of a control plane at work, where time is known to the nanosecond.
#include <gtest/gtest.h>

#include "bench/simulated_deployment.h"

namespace minik::sim {
namespace {

class SimulatedMetrics : public ::testing::Test {
 protected:
  bool shows(const std::string& line) {
    return deployment.cluster().metrics().text().find(line + "\n") != std::string::npos;
  }
  int64_t value_of(const std::string& series) {
    const std::string page = deployment.cluster().metrics().text();
    const size_t at = page.find(cat("\n", series, " "));
    if (at == std::string::npos) return -1;
    const size_t begin = at + series.size() + 2;
    return parse_int64(std::string_view(page).substr(begin, page.find('\n', begin) - begin)).value_or(-2);
  }

  SimulatedDeployment deployment{5};
};

TEST_F(SimulatedMetrics, CountEveryRequestOfEveryComponent) {
  deployment.scale_to(20);
  const std::string about = R"(component="apiserver",dry_run="",group="",resource="pods",scope="resource")";
  EXPECT_EQ(value_of(cat("apiserver_request_total{code=\"201\",", about, ",subresource=\"\",verb=\"POST\",version=\"v1\"}")), 20);
  EXPECT_EQ(value_of(cat("apiserver_request_total{code=\"201\",", about, ",subresource=\"binding\",verb=\"POST\",version=\"v1\"}")), 20);
  EXPECT_EQ(value_of(R"(apiserver_resource_objects{group="",resource="pods"})"), 20);
  EXPECT_EQ(value_of(R"(apiserver_current_inflight_requests{request_kind="mutating"})"), 0);
  EXPECT_EQ(value_of(R"(apiserver_longrunning_requests{group="apps",resource="replicasets",verb="WATCH",version="v1"})"), 1);
}

TEST_F(SimulatedMetrics, TellTheQueuesThatASettledClusterLeavesEmpty) {
  deployment.scale_to(20);
  EXPECT_EQ(value_of(R"(workqueue_depth{name="replicaset-controller"})"), 0);
  EXPECT_GT(value_of(R"(workqueue_adds_total{name="replicaset-controller"})"), 0);
  EXPECT_EQ(value_of(R"(workqueue_unfinished_work_seconds{name="replicaset-controller"})"), 0);
  EXPECT_EQ(value_of(R"(scheduler_pending_pods{queue="active"})"), 0);
}

TEST_F(SimulatedMetrics, CountTheSlicesOfAService) {
  deployment.scale_to(150);
  control::ApiRequest service;
  service.verb = control::Verb::kCreate;
  service.kind = control::kinds::kServices;
  service.namespace_ = "default";
  service.body = *control::parse_json(R"({"metadata":{"name":"web"},"spec":{"selector":{"app":"web"},"ports":[{"port":80}]}})");
  deployment.send(std::move(service));
  deployment.advance(minutes(1));
  EXPECT_EQ(value_of("endpoint_slice_controller_endpoints_desired"), 150);
  EXPECT_EQ(value_of("endpoint_slice_controller_num_endpoint_slices"), 2);
  EXPECT_EQ(value_of("endpoint_slice_controller_desired_endpoint_slices"), 2);
  EXPECT_EQ(value_of(R"(endpoint_slice_controller_changes{operation="create"})"), 2);
  EXPECT_EQ(value_of("endpoint_slice_controller_endpoints_added_per_sync_sum"), 150);
  EXPECT_GT(value_of(R"(endpoint_slice_controller_syncs{result="success"})"), 0);
  deployment.scale_to(20);
  EXPECT_EQ(value_of("endpoint_slice_controller_endpoints_desired"), 20);
  EXPECT_EQ(value_of("endpoint_slice_controller_endpoints_removed_per_sync_sum"), 130);
}

TEST_F(SimulatedMetrics, ShowAZoneThatLosesNodes) {
  deployment.cluster().crash_node("node-1");
  deployment.cluster().executor().run_until(deployment.cluster().executor().now() + minutes(3));
  EXPECT_EQ(value_of(R"(node_collector_zone_size{zone=":"})"), 5);
  EXPECT_EQ(value_of(R"(node_collector_unhealthy_nodes_in_zone{zone=":"})"), 1);
  EXPECT_EQ(value_of(R"(node_collector_zone_health{zone=":"})"), 80);
  EXPECT_EQ(value_of(R"(node_collector_evictions_total{zone=":"})"), 1);
}

}  // namespace
}  // namespace minik::sim
