#include "sim/run.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "sim/invariants.h"

namespace minik::sim {

namespace keys = control::keys;
using control::ApiRequest;
using control::Value;
using control::Verb;

namespace {

constexpr Duration kCheckPeriod = seconds(1);
// Rules of strangers have tighter bounds; here the author of the file waits himself, and `objects` may be
// a million pods.
constexpr uint64_t kExpressionCostMax = 1'000'000'000;

std::string describe(const Expectation& e) {
  if (!e.name.empty()) return e.name;
  return cat("expectation at ", e.place);
}

}  // namespace

class Run::Body {
 public:
  Body(const Scenario& scenario, RunOptions options)
      : scenario_(scenario),
        options_(std::move(options)),
        trace_(control::Schema::builtin()),
        rng_(Rng(options_.seed).fork("scenario")),
        states_(scenario.expectations.size()) {
    ClusterOptions cluster;
    cluster.seed = options_.seed;
    cluster.pools = scenario_.pools;
    cluster.images = scenario_.images;
    cluster.node_grace = scenario_.node_grace;
    cluster.audit_policy = options_.audit_policy;
    cluster.audit = options_.audit;
    cluster_ = std::make_unique<SimulatedCluster>(cluster, &trace_);
    restore_context_ = set_check_context([this] {
      return cat("in scenario ", scenario_.name, " with --seed ", options_.seed, " at ", format_duration(now()));
    });
  }
  ~Body() { set_check_context(restore_context_); }

  SimulatedCluster& cluster() { return *cluster_; }
  Duration now() const { return Duration{cluster_->executor().now().ns}; }
  Instant next() const { return std::min(cluster_->executor().next(), Instant{next_stop().ns}); }
  Status start() {
    if (!options_.trace_file.empty()) MINIK_TRY(trace_.write_to(options_.trace_file));
    cluster_->start();
    return {};
  }

  void advance(Duration end, const std::function<bool()>& interrupt) {
    while (now() < end || next_stop() <= end) {
      const Duration until = std::min(end, next_stop());
      if (cluster_->executor().run_until(Instant{until.ns}, interrupt)) return;
      for (; next_action_ < scenario_.timeline.size() && scenario_.timeline[next_action_].at <= until; ++next_action_) {
        perform(scenario_.timeline[next_action_]);
      }
      if (until < next_check_) continue;
      check(until);
      next_check_ = until + kCheckPeriod;
    }
  }

  Status inject(std::string_view text, std::string_view name) {
    MINIK_ASSIGN(const auto actions, parse_actions(text, name));
    for (const auto& action : actions) perform(action);
    return {};
  }

 private:
  // Where virtual time stops by itself: for an action or for a look at what must hold.
  Duration next_stop() const {
    if (next_action_ == scenario_.timeline.size()) return next_check_;
    return std::min(next_check_, scenario_.timeline[next_action_].at);
  }

  struct State {
    bool met = false;
    bool broken = false;
    Duration at;
    std::string detail;
  };

  void note(const std::string& text) {
    if (options_.on_action) options_.on_action(Duration{cluster_->executor().now().ns}, text);
  }

  void send(ApiRequest request, std::string what) {
    cluster_->request(std::move(request), [this, what = std::move(what)](const Result<control::ApiResponse>& result) {
      if (result) return;
      failures_.push_back({what, false, Duration{cluster_->executor().now().ns}, result.error().message});
    });
  }

  static ApiRequest request_for(const ObjectReference& target, Verb verb) {
    ApiRequest request;
    request.verb = verb;
    request.kind = target.id;
    request.namespace_ = target.namespace_;
    request.name = target.name;
    return request;
  }

  void perform(const Action& action) {
    switch (action.what) {
      case Action::What::kApply:
        for (const auto& object : action.objects) apply(object);
        break;
      case Action::What::kSetImage: {
        ApiRequest request = request_for(action.target, Verb::kPatch);
        request.patch_type = control::PatchType::kStrategicMerge;
        const Value container = Value::map({{keys::kName, action.container}, {keys::kImage, action.image}});
        request.body = Value::empty_map().with_at(
            {keys::kSpec, keys::kTemplate, keys::kSpec, keys::kContainers}, Value::array({container}));
        note(cat("set image of ", action.target.name, " to ", action.image));
        send(std::move(request), cat("setImage ", action.target.name));
        break;
      }
      case Action::What::kScale: {
        ApiRequest request = request_for(action.target, Verb::kPatch);
        request.patch_type = control::PatchType::kMerge;
        request.body = Value::empty_map().with_at({keys::kSpec, keys::kReplicas}, action.replicas);
        note(cat("scale ", action.target.name, " to ", action.replicas));
        send(std::move(request), cat("scale ", action.target.name));
        break;
      }
      case Action::What::kDelete:
        note(cat("delete ", action.target.kind, " ", action.target.name));
        send(request_for(action.target, Verb::kDelete), cat("delete ", action.target.name));
        break;
      case Action::What::kRestartControllers:
        note("restart controllers");
        cluster_->restart_controllers();
        break;
      case Action::What::kRestartScheduler:
        note("restart scheduler");
        cluster_->restart_scheduler();
        break;
      default: perform_on_nodes(action);
    }
  }

  void apply(const Value& object) {
    const auto* resource = control::Schema::builtin().find_kind(object[keys::kApiVersion].as_string(),
                                                                object[keys::kKind].as_string());
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = resource->id;
    if (resource->namespaced) {
      request.namespace_ = object[keys::kMetadata][keys::kNamespace].as_string("default");
    }
    request.body = object;
    note(cat("create ", resource->kind, " ", control::object_name(object)));
    send(std::move(request), cat("create ", resource->kind, " ", control::object_name(object)));
  }

  std::vector<std::string> choose(const Action& action) {
    const bool wants_running = action.what != Action::What::kStartNodes;
    std::vector<std::string> candidates;
    for (const auto& name : cluster_->node_names()) {
      if (cluster_->node_running(name) == wants_running) candidates.push_back(name);
    }
    if (!action.nodes.empty()) return action.nodes;
    if (action.count == 0) return candidates;
    std::vector<std::string> chosen;
    for (int64_t i = 0; i < action.count && !candidates.empty(); ++i) {
      const size_t pick = rng_.below(candidates.size());
      chosen.push_back(candidates[pick]);
      candidates.erase(candidates.begin() + static_cast<ptrdiff_t>(pick));
    }
    std::ranges::sort(chosen);
    return chosen;
  }

  void perform_on_nodes(const Action& action) {
    const auto chosen = choose(action);
    const auto known = cluster_->node_names();
    for (const auto& name : chosen) {
      if (std::ranges::find(known, name) == known.end()) {
        failures_.push_back({action.text, false, action.at, cat("there is no node ", name)});
        continue;
      }
      note(cat(action.text, " ", name));
      if (action.what == Action::What::kCrashNodes) cluster_->crash_node(name);
      if (action.what == Action::What::kStartNodes) cluster_->start_node(name);
      if (action.what == Action::What::kPartitionNodes) cluster_->set_node_connected(name, false);
      if (action.what == Action::What::kHealNodes) cluster_->set_node_connected(name, true);
    }
  }

  // An expression that fails, as one that reads a field before there is one, does not hold.
  static bool holds_expression(const control::cel::Program& expression, control::cel::Datum variable, std::string& detail) {
    control::cel::Budget budget{.limit = kExpressionCostMax};
    const auto result = expression.evaluate({{std::move(variable)}}, budget);
    if (!result) detail = result.error().message;
    return result && result->is_true();
  }

  bool holds_object(const Expectation& e, std::string& detail) const {
    const Value& object = cluster_->store().find(e.object->id, e.object->namespace_, e.object->name);
    std::string failure;
    if (e.expression ? holds_expression(*e.expression, control::cel::Datum::document(object), failure)
                     : contains_part(object, e.matches)) {
      return true;
    }
    detail = object.has_value() ? cat(failure, failure.empty() ? "" : "; ", "its status is ", control::to_json(object[keys::kStatus]))
                                : "it does not exist";
    return false;
  }

  bool holds(const Expectation& e, std::string& detail) const {
    if (e.object) return holds_object(e, detail);
    const auto& store = cluster_->store();
    const auto labels = control::LabelSelector::parse(e.label_selector);
    const auto fields = control::FieldSelector::parse(e.field_selector);
    int64_t count = 0;
    std::vector<control::cel::Datum> selected;
    store.for_each(*e.selected_kind, [&](const Value& object) {
      if (!e.namespace_.empty() && control::object_namespace(object) != e.namespace_) return;
      if (!labels || !labels->matches(object[keys::kMetadata][keys::kLabels])) return;
      if (!fields || !fields->matches(object)) return;
      if (!e.condition.empty() && !control::is_condition_true(object, e.condition)) return;
      ++count;
      if (e.expression) selected.push_back(control::cel::Datum::document(object));
    });
    if (e.expression) {
      std::string failure;
      const bool held = holds_expression(*e.expression, control::cel::Datum::list(std::move(selected)), failure);
      detail = cat("it is false for the ", count, " objects", failure.empty() ? "" : ": ", failure);
      return held;
    }
    detail = cat("the count is ", count);
    return (!e.equals || count == *e.equals) && (!e.at_least || count >= *e.at_least) &&
           (!e.at_most || count <= *e.at_most);
  }

  void check(Duration now) {
    for (size_t i = 0; i < states_.size(); ++i) {
      const Expectation& e = scenario_.expectations[i];
      State& state = states_[i];
      if (now < e.after || state.broken || (e.within && state.met)) continue;
      std::string detail;
      const bool held = holds(e, detail);
      if (e.within && held) {
        state.met = true;
        state.at = now;
      } else if (e.within && now >= e.after + *e.within) {
        state.broken = true;
        state.at = now;
        state.detail = detail;
      } else if (!e.within && !held) {
        state.broken = true;
        state.at = now;
        state.detail = detail;
      }
    }
    for (const auto& [name, broken] : {std::pair{"no node is overcommitted", overcommitted_node(cluster_->store())},
                                       std::pair{"no rollout leaves its surge bound", rollout_beyond_surge(cluster_->store())}}) {
      const bool known = std::ranges::any_of(failures_, [n = std::string(name)](const Finding& f) { return f.what == n; });
      if (broken && !known) failures_.push_back({name, false, now, *broken});
    }
  }

 public:
  RunOutcome conclude() const {
    RunOutcome outcome;
    outcome.virtual_time = now();
    outcome.steps = cluster_->executor().steps();
    outcome.writes = cluster_->store().revision().value;
    for (size_t i = 0; i < states_.size(); ++i) {
      const Expectation& e = scenario_.expectations[i];
      const State& state = states_[i];
      const bool held = e.within ? state.met : !state.broken;
      std::string detail = state.detail;
      if (e.within && !state.met && !state.broken) detail = "the run ended before its time was over";
      outcome.findings.push_back({describe(e), held, state.at, detail});
    }
    outcome.findings.insert(outcome.findings.end(), failures_.begin(), failures_.end());
    // The trace ends with the run: what is torn down afterwards is no part of it.
    outcome.trace_hash = trace_.hash();
    outcome.trace_entries = trace_.entries();
    return outcome;
  }

 private:
  const Scenario& scenario_;
  const RunOptions options_;
  Trace trace_;
  Rng rng_;
  std::vector<State> states_;
  std::vector<Finding> failures_;
  std::unique_ptr<SimulatedCluster> cluster_;
  CheckContext restore_context_;
  size_t next_action_ = 0;
  Duration next_check_ = kCheckPeriod;
};

Run::Run(const Scenario& scenario, RunOptions options) : body_(std::make_unique<Body>(scenario, std::move(options))) {}
Run::~Run() = default;

Status Run::start() { return body_->start(); }
void Run::advance(Duration until, const std::function<bool()>& interrupt) { body_->advance(until, interrupt); }
Status Run::inject(std::string_view text, std::string_view name) { return body_->inject(text, name); }
Duration Run::now() const { return body_->now(); }
Instant Run::next() const { return body_->next(); }
RunOutcome Run::conclude() const { return body_->conclude(); }
SimulatedCluster& Run::cluster() { return body_->cluster(); }

bool RunOutcome::passed() const {
  return std::ranges::all_of(findings, [](const Finding& f) { return f.held; });
}

Result<RunOutcome> run_scenario(const Scenario& scenario, const RunOptions& options) {
  Run run(scenario, options);
  MINIK_TRY(run.start());
  run.advance(scenario.duration, [] { return false; });
  return run.conclude();
}

}  // namespace minik::sim
