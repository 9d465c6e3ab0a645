// What a fault is like in a scenario that is drawn (sim/swarm.h): for each entry of the table of faults (faults.cpp) the
// function that draws what stands under its name. An entry without one does not compile, so that whatever can be written
// into a scenario can be drawn, too.
//
// Values of a small cluster: some machines, a few pods, shares and delays with which it still makes its way. Pure: the
// same body for the same state of the generator.
#pragma once

#include <cstdint>

#include "control/base/rng.h"
#include "control/object/value.h"

namespace minik::sim {

// Where a fault strikes, and what it takes beside the fault to be felt.
struct DrawnWorld {
  Rng& rng;
  int64_t nodes = 1;
  bool asks_webhooks = false;  // set by a fault of webhooks: somebody must be asked
  bool needs_names = false;    // and by one of names
};

using DrawFault = control::Value (*)(DrawnWorld&);

control::Value draw_nothing(DrawnWorld&);
control::Value draw_nodes(DrawnWorld&);
control::Value draw_slow_nodes(DrawnWorld&);
control::Value draw_clocks(DrawnWorld&);
control::Value draw_partition(DrawnWorld&);
control::Value draw_pods(DrawnWorld&);
control::Value draw_link_trouble(DrawnWorld&);
control::Value draw_links(DrawnWorld&);
control::Value draw_token_holder(DrawnWorld&);
control::Value draw_certificate_holder(DrawnWorld&);
control::Value draw_latency(DrawnWorld&);
control::Value draw_api_errors(DrawnWorld&);
control::Value draw_api_rate(DrawnWorld&);
control::Value draw_component(DrawnWorld&);
control::Value draw_component_with_share(DrawnWorld&);
control::Value draw_pull_rate(DrawnWorld&);
control::Value draw_names(DrawnWorld&);
control::Value draw_webhook_outage(DrawnWorld&);
control::Value draw_webhook_latency(DrawnWorld&);
control::Value draw_quota(DrawnWorld&);

}  // namespace minik::sim
