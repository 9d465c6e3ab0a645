#include "sim/scenario/fault_draws.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "control/base/text.h"
#include "control/controllers/controller_manager.h"

namespace minik::sim {

using control::Value;

namespace {

template <typename T, size_t kSize>
const T& one_of(DrawnWorld& world, const T (&all)[kSize]) {
  return all[world.rng.below(kSize)];
}

std::string share(DrawnWorld& world, int64_t percent_max) { return cat(world.rng.between(1, percent_max), "%"); }

Value delay(DrawnWorld& world, int64_t ms_max) {
  const int64_t low = world.rng.between(1, ms_max / 4);
  return Value::map({{"min", cat(low, "ms")}, {"max", cat(world.rng.between(low, ms_max), "ms")}});
}

// All controllers, the scheduler, or in half of the cases a single controller.
std::string component(DrawnWorld& world) {
  const auto& single = control::controller_names();
  if (world.rng.chance_ppm(500'000)) return single[world.rng.below(single.size())];
  return world.rng.chance_ppm(700'000) ? "controllers" : "scheduler";
}

std::string component_or_nodes(DrawnWorld& world) { return world.rng.chance_ppm(300'000) ? "nodes" : component(world); }

Value components(std::string name) { return Value::map({{"components", Value::array({std::move(name)})}}); }

}  // namespace

Value draw_nothing(DrawnWorld&) { return Value::empty_map(); }

Value draw_nodes(DrawnWorld& world) {
  return Value::map({{"count", world.rng.between(1, std::max<int64_t>(1, world.nodes / 3))}});
}

Value draw_slow_nodes(DrawnWorld& world) { return draw_nodes(world).with("factor", world.rng.between(2, 20)); }

Value draw_clocks(DrawnWorld& world) {
  constexpr const char* kJumps[] = {"-1h", "-90s", "40s", "2h"};
  return draw_nodes(world).with("by", one_of(world, kJumps));
}

Value draw_partition(DrawnWorld& world) {
  constexpr const char* kCuts[] = {"both", "both", "requests", "answers"};
  return draw_nodes(world).with("cut", one_of(world, kCuts));
}

Value draw_pods(DrawnWorld& world) { return Value::map({{"count", world.rng.between(1, 5)}}); }

Value draw_link_trouble(DrawnWorld& world) {
  constexpr const char* kWhat[] = {"loseRequests", "loseAnswers", "delayAnswers", "holdWatches", "endWatches"};
  return components(component_or_nodes(world)).with(one_of(world, kWhat), share(world, 20));
}

Value draw_links(DrawnWorld& world) { return components(component_or_nodes(world)); }

Value draw_token_holder(DrawnWorld& world) { return components(component(world)); }

Value draw_certificate_holder(DrawnWorld& world) {
  return components(world.rng.chance_ppm(300'000) ? "api" : component_or_nodes(world));
}

Value draw_latency(DrawnWorld& world) { return Value::map({{"latency", delay(world, 500)}}); }

Value draw_api_errors(DrawnWorld& world) {
  constexpr int64_t kCodes[] = {500, 503, 504};
  return Value::map({{"share", share(world, 30)}, {"code", one_of(world, kCodes)}});
}

Value draw_api_rate(DrawnWorld& world) {
  return Value::map({{"requestsPerSecond", world.rng.between(2, 40)}, {"retryAfterSeconds", world.rng.between(1, 5)}});
}

Value draw_component(DrawnWorld& world) { return Value::map({{"component", component(world)}}); }

Value draw_component_with_share(DrawnWorld& world) { return draw_component(world).with("share", share(world, 10)); }

Value draw_pull_rate(DrawnWorld& world) { return Value::map({{"pullsPerMinute", world.rng.between(1, 12)}}); }

Value draw_names(DrawnWorld& world) {
  world.needs_names = true;
  return Value::empty_map();
}

Value draw_webhook_outage(DrawnWorld& world) {
  constexpr const char* kHow[] = {"refused", "silent", "nonsense", "certificateExpired"};
  world.asks_webhooks = true;
  return Value::map({{"how", one_of(world, kHow)}});
}

Value draw_webhook_latency(DrawnWorld& world) {
  world.asks_webhooks = true;
  return Value::map({{"latency", delay(world, 4'000)}});
}

Value draw_quota(DrawnWorld& world) {
  constexpr const char* kResources[] = {"pods", "requests.cpu", "requests.memory", "count/replicasets.apps", "count/pods"};
  return Value::map({{"resources", Value::array({one_of(world, kResources)})}});
}

}  // namespace minik::sim
