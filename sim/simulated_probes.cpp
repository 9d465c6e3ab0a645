// How simulated containers answer probes, and for how long an answer holds.
#include <algorithm>

#include "control/base/text.h"
#include "sim/simulated_runtime.h"

namespace minik::sim {

using control::ContainerState;
using control::RuntimeEvent;

namespace {
constexpr Duration kProbeTime = milliseconds(2), kProbeTimeMax = milliseconds(500);
}

bool SimulatedRuntime::answers(const Sandbox& sandbox, const Container& c) {
  if (c.status.state != ContainerState::kRunning || c.hung || c.behaviour->never_ready || executor_.now() < c.ready_at) return false;
  if (lacks_what_it_needs(c)) return false;
  if (!failing_probes_.empty() && failing_probes_.contains(sandbox.status.uid)) return false;
  // Of more requests than it can answer, its probes get their share.
  const ImageLoad* load = load_of(c);
  const int64_t most = c.behaviour->capacity_requests;
  if (!load || most == 0 || load->running() == 0) return true;
  const int64_t share = load->requests / load->running();
  return share <= most || rng_.below(static_cast<uint64_t>(share)) < static_cast<uint64_t>(most);
}

// A queue's waiting time: twice as long at half of the capacity, and so on until it is full.
Duration SimulatedRuntime::probe_time(const Container& c) const {
  const ImageLoad* load = load_of(c);
  const int64_t most = c.behaviour->capacity_requests;
  if (!load || most == 0 || load->running() == 0) return kProbeTime;
  const int64_t room = most - load->requests / load->running();
  return room > 0 ? std::min(kProbeTime * most / room, kProbeTimeMax) : kProbeTimeMax;
}

bool SimulatedRuntime::answers(const Sandbox& sandbox) {
  return std::ranges::any_of(sandbox.containers, [&](const Container* c) { return answers(sandbox, *c); });
}

// One that would answer hangs. Whose port a request goes to is not known here: it is taken for the port of the one that
// hangs, so that HTTP probes of its neighbours fail with it.
bool SimulatedRuntime::hangs(const Sandbox& sandbox) const {
  return std::ranges::any_of(sandbox.containers, [&](const Container* c) {
    return c->hung && c->status.state == ContainerState::kRunning && !c->behaviour->never_ready && executor_.now() >= c->ready_at;
  });
}

Duration SimulatedRuntime::probe_time(const Sandbox& sandbox) const {
  Duration longest = kProbeTime;
  for (const auto* container : sandbox.containers) longest = std::max(longest, probe_time(*container));
  return longest;
}

void SimulatedRuntime::exec_sync(const std::string& id, std::vector<std::string> command, Duration timeout,
                                 Done<control::ExecResult> done) {
  const auto found = containers_.find(id);
  control::ExecResult result;
  result.exit_code = found != containers_.end() && answers(sandboxes_.at(found->second.status.sandbox_id), found->second) ? 0 : 1;
  const Duration takes = found == containers_.end() ? kProbeTime : probe_time(found->second);
  if (takes * slowness_ > timeout) {
    executor_.after(timeout, [done = std::move(done), alive = alive_, words = join(command, " "), timeout] {
      if (*alive) done(Error(ErrorCode::kTimeout, cat("command timed out: ", quoted(words), " timed out after ", format_duration(timeout))));
    });
    return;
  }
  answer<control::ExecResult>(takes, std::move(done), std::move(result));
}

void SimulatedRuntime::http_get(const std::string& sandbox_id, control::HttpProbe, Duration timeout, Done<control::HttpAnswer> done) {
  const auto sandbox = sandboxes_.find(sandbox_id);
  const bool there = sandbox != sandboxes_.end();
  const Duration takes = there ? probe_time(sandbox->second) : kProbeTime;
  if (takes * slowness_ > timeout || (there && hangs(sandbox->second))) {
    executor_.after(timeout, [done = std::move(done), alive = alive_] {
      if (*alive) done(Error(ErrorCode::kTimeout, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
    });
    return;
  }
  Result<control::HttpAnswer> result = Error(ErrorCode::kServiceUnavailable, "dial tcp: connection refused");
  if (there && answers(sandbox->second)) result = control::HttpAnswer{200, "ok"};
  answer<control::HttpAnswer>(takes, std::move(done), std::move(result));
}

void SimulatedRuntime::tcp_connect(const std::string& sandbox_id, const std::string&, int, Duration, Done<Unit> done) {
  Result<Unit> result = Error(ErrorCode::kServiceUnavailable, "dial tcp: connection refused");
  const auto sandbox = sandboxes_.find(sandbox_id);
  // The kernel takes connections for a program that hangs.
  if (sandbox != sandboxes_.end() && (answers(sandbox->second) || hangs(sandbox->second))) result = Unit{};
  answer<Unit>(milliseconds(1), std::move(done), std::move(result));
}

// They are when nothing that an answer depends on changes by itself: containers that come and go are the node agent's to
// know, and what troubles them from outside unsettles them.
bool SimulatedRuntime::probes_settled(const std::string& sandbox_id) const {
  const auto found = sandboxes_.find(sandbox_id);
  if (found == sandboxes_.end() || failing_probes_.contains(found->second.status.uid)) return false;
  return std::ranges::all_of(found->second.containers, [](const Container* c) {
    const ImageBehaviour& behaviour = *c->behaviour;
    return !c->hung && behaviour.capacity_requests == 0 && !behaviour.needs_dns && !behaviour.needs_api &&
           behaviour.needs_service.empty();
  });
}

void SimulatedRuntime::unsettle_probes(const std::string& sandbox_id) {
  tell({RuntimeEvent::Kind::kProbesUnsettled, sandbox_id, {}});
}

// As they answer HTTP, in the words of the other client, which keeps trying to connect until its time is over.
void SimulatedRuntime::grpc_check(const std::string& sandbox_id, control::GrpcProbe probe, Duration timeout, Done<Unit> done) {
  const auto sandbox = sandboxes_.find(sandbox_id);
  const std::string address = sandbox == sandboxes_.end() || sandbox->second.status.ips.empty() ? "" : sandbox->second.status.ips[0];
  http_get(sandbox_id, {}, timeout, [done = std::move(done), address, port = probe.port, timeout](const Result<control::HttpAnswer>& answer) {
    if (answer) return done(Unit{});
    done(Error(ErrorCode::kTimeout, cat("timeout: failed to connect service ", quoted(cat(address, ":", port)), " within ",
                                        format_duration(timeout), ": context deadline exceeded")));
  });
}

}  // namespace minik::sim
