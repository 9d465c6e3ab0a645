#include "sim/leader_leases.h"

#include "sim/distribution.h"

namespace minik::sim {

namespace {
constexpr Duration kRenewDeadline = seconds(10);
const Distribution kBack{seconds(1), seconds(10)};
constexpr uint32_t kAlways = 1'000'000;
}

bool can_renew(const LinkFaults& link) {
  return !link.hold_all_requests && !link.cut_requests && !link.cut_answers && !link.unauthorized && link.lose_request < kAlways &&
         link.lose_answer < kAlways;
}

bool can_renew(const ApiGate::Trouble& server) { return server.fail < kAlways && !server.certificate_expired; }

void LeaderLeases::set_renewable(const Component& component, bool renewable) {
  const auto found = leases_.find(component);
  if (found == leases_.end() && renewable) return;
  Lease& lease = leases_.try_emplace(component, executor_).first->second;
  if (lease.renewable == renewable) return;
  lease.renewable = renewable;
  if (lease.held == renewable) return lease.timer.cancel();
  lease.timer.arm(renewable ? kBack.draw(rng_) : kRenewDeadline, [this, component, &lease] {
    lease.held = lease.renewable;
    changed_(component);
  });
}

bool LeaderLeases::leads(const Component& component) const {
  const auto found = leases_.find(component);
  return found == leases_.end() || found->second.held;
}

}  // namespace minik::sim
