#include "sim/triggers.h"

#include "control/api/twin_kinds.h"
#include "control/base/text.h"

namespace minik::sim {

namespace {

constexpr std::string_view kNodePrefix = "system:node:", kControllerPrefix = "system:controller:";

bool is_component(const std::string& wanted, const std::string& who) {
  if (wanted.empty()) return true;
  if (wanted == "nodes") return who.starts_with(kNodePrefix);
  for (const auto prefix : {kNodePrefix, kControllerPrefix}) {
    if (!who.starts_with(prefix)) continue;
    return who.compare(prefix.size(), std::string::npos, wanted) == 0 ||
           (prefix == kControllerPrefix && wanted == Component::kControllers.name);
  }
  if (wanted == Component::kControllers.name || wanted == Component::kScheduler.name) return who == cat("system:", wanted);
  return who == wanted;
}

// The name is in the body of a creation.
std::string_view name_of(const control::ApiRequest& request) {
  return request.name.empty() ? control::object_name(request.body) : std::string_view(request.name);
}

control::KindId stored_kind(const control::Schema& schema, control::KindId asked_for) {
  const auto* twin = control::twin_of(asked_for);
  return twin ? twin->stored : schema.resource(asked_for).stored_as();
}

}  // namespace

bool WriteMatch::matches(const control::Schema& schema, const std::string& who, const control::ApiRequest& request) const {
  return (!verb || *verb == request.verb) && (!kind || *kind == stored_kind(schema, request.kind)) &&
         (namespace_.empty() || namespace_ == request.namespace_) &&
         (name.empty() || name == name_of(request)) &&
         (subresource.empty() || subresource == request.subresource) && is_component(component, who);
}

std::vector<std::string> Triggers::never_fired() const {
  std::vector<std::string> all;
  for (const auto& waiting : waiting_) {
    if (!waiting->fired) all.push_back(waiting->what);
  }
  return all;
}

void Triggers::arm(const Trigger& trigger, std::function<void()> fire, std::string what) {
  // Drawn for every trigger, so that one trigger's chance does not move another's draws.
  const Rng rng = rng_.fork(cat("trigger/", waiting_.size()));
  auto waiting = std::make_shared<Waiting>(Waiting{trigger, std::move(fire), rng});
  waiting->what = std::move(what);
  waiting_.push_back(waiting);
  if (trigger.in_runs < 1'000'000 && !waiting->rng.chance_ppm(trigger.in_runs)) {
    waiting->fired = true;
    return;
  }
  switch (trigger.when) {
    case Trigger::When::kAt:
      waiting->fired = true;
      moments_[trigger.at].push_back(waiting);
      if (moments_[trigger.at].size() > 1) break;
      cluster_.executor().after(Instant{trigger.at.ns} - cluster_.executor().now(), [this, at = trigger.at] {
        for (const auto& due : moments_[at]) {
          if (!stopped_) due->fire();
        }
      });
      break;
    case Trigger::When::kRandom:
      waiting->fired = true;
      again(waiting, Instant{trigger.at.ns} - cluster_.executor().now());
      break;
    case Trigger::When::kWrite:
    case Trigger::When::kBetween: watch_requests(); break;
    case Trigger::When::kBecomes: break;
  }
}

void Triggers::again(const std::shared_ptr<Waiting>& waiting, Duration wait) {
  const Duration until = wait + waiting->trigger.interval.draw(waiting->rng);
  cluster_.executor().after(until, [this, waiting] {
    if (stopped_) return;
    waiting->fire();
    again(waiting, Duration{});
  });
}

void Triggers::fire_later(Waiting& waiting) {
  waiting.fired = true;
  cluster_.executor().after(waiting.trigger.delay, [this, fire = waiting.fire] {
    if (!stopped_) fire();
  });
}

void Triggers::watch_requests() {
  if (watches_) return;
  watches_ = true;
  RequestWatch watch;
  watch.leaves = [this](const std::string& who, const control::ApiRequest& request) {
    bool goes = true;
    for (const auto& waiting : waiting_) {
      if (waiting->fired || waiting->trigger.when != Trigger::When::kBetween || waiting->seen == 0) continue;
      if (stopped_ || !waiting->trigger.before.matches(cluster_.schema(), who, request)) continue;
      fire_later(*waiting);
      goes = false;
    }
    return goes;
  };
  watch.done = [this](const std::string& who, const control::ApiRequest& request) {
    for (const auto& waiting : waiting_) {
      const Trigger& trigger = waiting->trigger;
      if (waiting->fired || stopped_ || !trigger.write.matches(cluster_.schema(), who, request)) continue;
      if (trigger.when == Trigger::When::kBetween) waiting->seen = 1;
      if (trigger.when == Trigger::When::kWrite && ++waiting->seen == trigger.count) fire_later(*waiting);
    }
  };
  cluster_.watch_requests(std::move(watch));
}

void Triggers::look() {
  if (stopped_) return;
  for (const auto& waiting : waiting_) {
    if (waiting->fired || waiting->trigger.when != Trigger::When::kBecomes) continue;
    if (cluster_.executor().now() < Instant{waiting->trigger.at.ns}) continue;
    if (judge(*waiting->trigger.predicate, cluster_.store(), cluster_.metrics()).holds) fire_later(*waiting);
  }
}

}  // namespace minik::sim
