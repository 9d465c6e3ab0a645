#include "control/controllers/horizontal_pod_autoscaler.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/controllers/autoscaling_limits.h"
#include "control/controllers/autoscaling_metrics.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"
#include "control/schema/schema.h"

namespace minik::control {

namespace {

// One look at one autoscaler, from its target's scale to its new status.
struct Round {
  Value autoscaler;  // as the cache has it
  Value next;        // with the status to come
  KindId target_kind;
  Value scale;
  WallTime now;
  Instant began;
  std::vector<EventNote> events;
  const char* action = "none";
  const char* error = "none";

  int64_t replicas() const { return scale[keys::kSpec][keys::kReplicas].as_int(); }
  Value about() const { return typed(autoscaler, "autoscaling/v2", "HorizontalPodAutoscaler"); }

  void set(std::string_view type, bool status, std::string_view reason, std::string_view message) {
    next = with_condition(next,
                          Value::map({{keys::kType, type},
                                      {keys::kStatus, status ? "True" : "False"},
                                      {keys::kReason, reason},
                                      {keys::kMessage, message}}),
                          now);
  }
  void desire(int64_t count) { next = next.with_at({keys::kStatus, keys::kDesiredReplicas}, count); }
  void warn(std::string reason, std::string message) {
    error = "internal";
    events.push_back({about(), "Warning", std::move(reason), std::move(message)});
  }
};

struct Decision {
  int64_t replicas = 0;
  std::string why;
};

// The metric as the sentence about its failure names it.
std::string described(const Value& metric) {
  const auto type = metric[keys::kType].as_string();
  if (type == "Resource") return cat(metric[keys::kResource][keys::kName].as_string(), " resource");
  if (type == "ContainerResource") return cat(metric[keys::kContainerResource][keys::kName].as_string(), " container");
  return to_lower(type);
}

// What the metrics together ask for; nothing when they say too little.
std::optional<Decision> wish_of(Round& round, const PodsAndUsage& known) {
  const Value& spec = round.autoscaler[keys::kSpec];
  const Tolerance tolerance = tolerance_of(spec);
  std::optional<MetricProposal> largest;
  std::vector<Value> current;
  std::vector<std::string> errors;
  std::string failed_reason, failed_metric;
  const auto metrics = spec[keys::kMetrics].items();
  for (const auto& metric : metrics) {
    auto proposal = propose(metric, round.replicas(), known, tolerance);
    if (!proposal) {
      if (errors.empty()) {
        failed_reason = cat("FailedGet", metric[keys::kType].as_string(), "Metric");
        failed_metric = described(metric);
      }
      errors.push_back(proposal.error().message);
      continue;
    }
    current.push_back(proposal->current);
    if (!largest || proposal->replicas > largest->replicas) largest = *std::move(proposal);
  }
  round.next = round.next.with_at({keys::kStatus, keys::kCurrentMetrics}, Value::array(std::move(current)));
  // Half of the truth may say that more is needed, never that less would do.
  if (!errors.empty() && (!largest || largest->replicas < round.replicas())) {
    round.set("ScalingActive", false, failed_reason, cat("the HPA was unable to compute the replica count: ", errors[0]));
    round.warn(failed_reason, errors[0]);
    round.warn("FailedComputeMetricsReplicas", cat("invalid metrics (", errors.size(), " invalid out of ", metrics.size(),
                                                   "), first error is: failed to get ", failed_metric,
                                                   " metric value: ", errors[0]));
    return std::nullopt;
  }
  if (!largest) return std::nullopt;
  round.set("ScalingActive", true, "ValidMetricFound",
            cat("the HPA was able to successfully calculate a replica count from ", largest->name));
  const bool up = largest->replicas > round.replicas();
  return Decision{largest->replicas, up ? largest->name + " above target" : "All metrics below target"};
}

// The size that the target should have now; nothing when it stays as it is for want of knowledge.
std::optional<Decision> decide(Round& round, const PodsAndUsage& known, ScalingHistory& history) {
  const Value& spec = round.autoscaler[keys::kSpec];
  const int64_t current = round.replicas();
  const int64_t min = spec[keys::kMinReplicas].as_int(1), max = spec[keys::kMaxReplicas].as_int();
  round.next = round.next.with_at({keys::kStatus, keys::kCurrentMetrics}, Value());
  if (current == 0 && min != 0) {
    round.set("ScalingActive", false, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
    return Decision{0, ""};
  }
  if (current > max) return Decision{max, "Current number of replicas above Spec.MaxReplicas"};
  if (current < min) return Decision{min, "Current number of replicas below Spec.MinReplicas"};
  auto wish = wish_of(round, known);
  if (!wish) return std::nullopt;
  const LimitedWish limited = limit_wish(spec, current, wish->replicas, history, round.now);
  round.set("AbleToScale", true, limited.able_reason, limited.able_message);
  round.set("ScalingLimited", limited.limited, limited.limited_reason, limited.limited_message);
  wish->replicas = limited.replicas;
  return wish;
}

}  // namespace

struct HorizontalPodAutoscaler::Impl : std::enable_shared_from_this<Impl> {
  Impl(const Schema& s, Executor& e, Client& c, InformerSet& i, EventRecorder& r, MetricRegistry& m,
       HorizontalPodAutoscalerOptions o)
      : schema(s), executor(e), client(c), informers(i), recorder(r), metrics(m), options(o) {}

  const ObjectCache& cache(KindId kind) const { return informers.find(kind)->cache(); }

  // Each has a beat of its own, the first when it has been there for as long.
  void look_after(const Value& autoscaler) {
    const std::string uid(object_uid(autoscaler));
    if (beats.insert(uid).second) look_later(key_of(autoscaler), uid);
  }

  void look_later(const ObjectKey& key, const std::string& uid) {
    executor.after(options.sync_period, [weak = weak_from_this(), key, uid] {
      const auto self = weak.lock();
      if (!self) return;
      const Value autoscaler = self->cache(kinds::kHorizontalpodautoscalers).find(key.namespace_, key.name);
      if (object_uid(autoscaler) != uid) {
        self->beats.erase(uid);
        self->histories.erase(uid);
        self->selections.erase(uid);
        return;
      }
      self->begin(autoscaler);
      self->look_later(key, uid);
    });
  }

  void start() {
    started = true;
    for (const auto& autoscaler : cache(kinds::kHorizontalpodautoscalers).list()) look_after(autoscaler);
  }

  template <typename Then>
  void send(ApiRequest request, Then then) {
    client.send(std::move(request), [weak = weak_from_this(), then](Result<ApiResponse> result) {
      if (const auto self = weak.lock()) then(*self, std::move(result));
    });
  }

  void begin(const Value& autoscaler) {
    if (is_deleting(autoscaler) || !running.insert(std::string(object_uid(autoscaler))).second) return;
    auto round = std::make_shared<Round>();
    round->autoscaler = round->next = autoscaler;
    round->now = executor.wall_now();
    round->began = executor.now();
    const Value& target = autoscaler[keys::kSpec][keys::kScaleTargetRef];
    const auto* resource = schema.find_kind(target[keys::kApiVersion].as_string("v1"), target[keys::kKind].as_string());
    if (!resource || !resource->subresource("scale")) {
      no_scale(*round, cat("no matches for kind ", quoted(target[keys::kKind].as_string()), " in group ",
                           quoted(split(target[keys::kApiVersion].as_string(), '/').front())));
      return;
    }
    round->target_kind = resource->id;
    ApiRequest request;
    request.verb = Verb::kGet;
    request.kind = resource->id;
    request.namespace_ = object_namespace(autoscaler);
    request.name = target[keys::kName].string();
    request.subresource = "scale";
    send(std::move(request), [round](Impl& self, Result<ApiResponse> result) {
      if (!result) {
        self.no_scale(*round, result.error().message);
        return;
      }
      round->scale = result->object;
      // The size that was found counts as a wish: what has just been handed over is not shrunk at once.
      const auto [history, first] = self.histories.try_emplace(std::string(object_uid(round->autoscaler)));
      if (first) history->second.wishes.push_back({round->now, round->replicas()});
      round->set("AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
      self.measure(round);
    });
  }

  void no_scale(Round& round, const std::string& error) {
    round.set("AbleToScale", false, "FailedGetScale", cat("the HPA controller was unable to get the target's current scale: ", error));
    round.warn("FailedGetScale", error);
    finish(round);
  }

  void measure(const std::shared_ptr<Round>& round) {
    // An empty selector would stand for every pod of the namespace.
    if (round->scale[keys::kStatus][keys::kSelector].as_string().empty()) {
      round->set("ScalingActive", false, "InvalidSelector", "the HPA target's scale is missing a selector");
      round->warn("SelectorRequired", "selector is required");
      finish(*round);
      return;
    }
    ApiRequest request;
    request.verb = Verb::kList;
    request.kind = kinds::kMetricsPods;
    request.namespace_ = object_namespace(round->autoscaler);
    request.options.label_selector = round->scale[keys::kStatus][keys::kSelector].string();
    send(std::move(request), [round](Impl& self, Result<ApiResponse> result) {
      PodsAndUsage known;
      known.now = round->now = self.executor.wall_now();
      if (result) {
        for (const auto& item : result->object[keys::kItems].items()) known.metrics.emplace(object_name(item), item);
      }
      const auto selector = LabelSelector::parse(round->scale[keys::kStatus][keys::kSelector].as_string());
      if (selector) {
        known.pods = self.cache(kinds::kPods).selected(object_namespace(round->autoscaler), *selector);
        self.selections.insert_or_assign(std::string(object_uid(round->autoscaler)),
                                         Selection{key_of(round->autoscaler), *selector});
        if (self.is_disputed(*round, *selector, known.pods)) return self.finish(*round);
      }
      self.act(round, known);
    });
  }

  // Two autoscalers of the same pods would pull them both ways: neither does anything.
  bool is_disputed(Round& round, const LabelSelector& selector, const std::vector<Value>& pods) {
    std::vector<std::string> claimants;
    for (const auto& [uid, selection] : selections) {
      if (selection.autoscaler.namespace_ != object_namespace(round.autoscaler)) continue;
      const bool claims = std::ranges::any_of(pods, [&claim = selection](const Value& pod) {
        return claim.selector.matches(pod[keys::kMetadata][keys::kLabels]);
      });
      if (claims) claimants.push_back(selection.autoscaler.text());
    }
    if (claimants.size() < 2) return false;
    std::ranges::sort(claimants);
    const std::string message =
        cat("pods by selector ", selector.text(), " are controlled by multiple HPAs: [", join(claimants, " "), "]");
    round.warn("AmbiguousSelector", message);
    round.set("ScalingActive", false, "AmbiguousSelector", message);
    return true;
  }

  void act(const std::shared_ptr<Round>& round, const PodsAndUsage& known) {
    ScalingHistory& history = histories[std::string(object_uid(round->autoscaler))];
    const auto decision = decide(*round, known, history);
    const int64_t current = round->replicas();
    const int64_t desired = decision ? decision->replicas : current;
    if (desired == current) {
      if (decision) round->desire(desired);
      finish(*round);
      return;
    }
    ApiRequest request;
    request.verb = Verb::kUpdate;
    request.kind = round->target_kind;
    request.namespace_ = object_namespace(round->autoscaler);
    request.name = round->scale[keys::kMetadata][keys::kName].string();
    request.subresource = "scale";
    request.body = round->scale.with_at({keys::kSpec, keys::kReplicas}, desired);
    send(std::move(request), [round, desired, current, why = decision->why](Impl& self, Result<ApiResponse> result) {
      self.on_scaled(*round, current, desired, why, result);
    });
  }

  void on_scaled(Round& round, int64_t current, int64_t desired, const std::string& why, const Result<ApiResponse>& result) {
    if (!result) {
      round.set("AbleToScale", false, "FailedUpdateScale",
                cat("the HPA controller was unable to update the target scale: ", result.error().message));
      round.warn("FailedRescale", cat("New size: ", desired, "; reason: ", why, "; error: ", result.error().message));
      finish(round);
      return;
    }
    round.desire(desired);
    round.action = desired > current ? "scale_up" : "scale_down";
    round.set("AbleToScale", true, "SucceededRescale", cat("the HPA controller was able to update the target scale to ", desired));
    round.events.push_back({round.about(), "Normal", "SuccessfulRescale", cat("New size: ", desired, "; reason: ", why)});
    round.next = round.next.with_at({keys::kStatus, keys::kLastScaleTime}, format_time(round.now));
    remember_change(histories[std::string(object_uid(round.autoscaler))], current, desired, round.now);
    finish(round);
  }

  void count(const Round& round) {
    const MetricLabels labels{{"action", round.action}, {"error", round.error}};
    metrics.counter("horizontal_pod_autoscaler_controller_reconciliations_total",
                    "Looks at autoscalers, by what came of them.", labels)
        .add();
    metrics.histogram("horizontal_pod_autoscaler_controller_reconciliation_duration_seconds",
                      "Time of one look at an autoscaler.", labels)
        .observe(executor.now() - round.began);
  }

  void finish(Round& round) {
    count(round);
    for (const auto& note : round.events) recorder.record(note);
    const std::string uid(object_uid(round.autoscaler));
    if (round.scale.has_value()) {
      // What the target was to have, not what runs: so Kubernetes shows it.
      round.next = round.next.with_at({keys::kStatus, keys::kCurrentReplicas}, round.replicas());
    }
    if (!round.next[keys::kStatus][keys::kDesiredReplicas].has_value()) round.desire(0);
    round.next = round.next.with_at({keys::kStatus, keys::kObservedGeneration}, round.autoscaler[keys::kMetadata][keys::kGeneration]);
    if (round.next == round.autoscaler) {
      running.erase(uid);
      return;
    }
    ApiRequest request;
    request.verb = Verb::kUpdate;
    request.kind = kinds::kHorizontalpodautoscalers;
    request.namespace_ = object_namespace(round.autoscaler);
    request.name = object_name(round.autoscaler);
    request.subresource = "status";
    request.body = round.next;
    // A conflict is no harm: the next round is never far.
    send(std::move(request), [uid](Impl& self, const Result<ApiResponse>&) { self.running.erase(uid); });
  }

  const Schema& schema;
  Executor& executor;
  Client& client;
  InformerSet& informers;
  EventRecorder& recorder;
  MetricRegistry& metrics;
  HorizontalPodAutoscalerOptions options;
  std::map<std::string, ScalingHistory> histories;  // by uid
  struct Selection {
    ObjectKey autoscaler;
    LabelSelector selector;
  };
  std::map<std::string, Selection> selections;      // by the autoscaler's uid: the pods of its target
  std::set<std::string> beats;                      // uids that are looked at
  std::set<std::string> running;                    // those with a round under way
  bool started = false;
};

HorizontalPodAutoscaler::HorizontalPodAutoscaler(const Schema& schema, Executor& executor, Client& client,
                                                 InformerSet& informers, EventRecorder& events,
                                                 MetricRegistry& metrics, HorizontalPodAutoscalerOptions options)
    : impl_(std::make_shared<Impl>(schema, executor, client, informers, events, metrics, options)) {
  informers.of(kinds::kPods).cache().group_by_labels();
  informers.of(kinds::kHorizontalpodautoscalers)
      .subscribe([weak = std::weak_ptr(impl_)](const Value&, const Value& after) {
        const auto impl = weak.lock();
        if (impl && impl->started && after.has_value()) impl->look_after(after);
      });
}

HorizontalPodAutoscaler::~HorizontalPodAutoscaler() = default;

void HorizontalPodAutoscaler::start() {
  impl_->informers.when_synced([weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock()) impl->start();
  });
}

}  // namespace minik::control
