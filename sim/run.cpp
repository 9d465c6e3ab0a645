#include "sim/run.h"

#include <algorithm>
#include <utility>

#include "control/api/twin_kinds.h"
#include "control/base/text.h"
#include "sim/custom_kinds.h"

namespace minik::sim {

namespace {

constexpr Duration kLookPeriod = seconds(1);
// One good second says little: what crashes again and again has them, too.
constexpr Duration kRestLasts = seconds(10);
// Of a cluster that has not converged; the rest is counted.
constexpr size_t kPendingShownMax = 8;

bool needs_disk(const Fault& fault) {
  const auto* store = std::get_if<StoreFault>(&fault.kind);
  return store && store->what != StoreFault::What::kSlow;
}

bool needs_disk(const Scenario& scenario) {
  return std::ranges::any_of(scenario.faults, [](const FaultRule& rule) { return needs_disk(rule.fault); }) ||
         std::ranges::any_of(scenario.timeline, [](const Action& action) {
           const auto* inject = std::get_if<InjectAction>(&action.what);
           return inject && needs_disk(inject->fault);
         });
}

// What is to be changed must be there, or among what is applied first: whoever injects is told so at once.
Status check_targets(const SimulatedCluster& cluster, const std::vector<Action>& actions) {
  for (const auto& action : actions) {
    if (std::holds_alternative<ApplyAction>(action.what)) return {};
    const auto* patch = std::get_if<PatchAction>(&action.what);
    const auto* removal = std::get_if<DeleteAction>(&action.what);
    if (!patch && !removal) continue;
    const ObjectReference& target = patch ? patch->target : removal->target;
    const auto served = served_kind(cluster.schema(), target.id);
    const control::TwinKind* twin = served ? control::twin_of(*served) : nullptr;
    const auto kind = twin ? std::optional(twin->stored) : served;
    if (kind && cluster.store().find(*kind, target.namespace_, target.name).has_value()) continue;
    return Error(ErrorCode::kNotFound, cat(action.place, ": ", action.text, ": there is no ", target.text()));
  }
  return {};
}

}  // namespace

Run::Run(const Scenario& scenario, RunOptions options)
    : scenario_(scenario),
      options_(std::move(options)),
      custom_(options_.custom_kinds || !scenario.definitions.empty() ? std::make_unique<CustomSchema>(scenario.definitions) : nullptr),
      trace_(custom_ ? custom_->schema() : control::Schema::builtin()),
      expectations_(scenario.expectations) {
  ClusterOptions cluster;
  cluster.seed = options_.seed;
  cluster.pools = scenario_.pools;
  cluster.images = scenario_.images;
  cluster.node_grace = scenario_.node_grace;
  cluster.audit_policy = options_.audit_policy;
  cluster.audit = options_.audit;
  cluster.field_accounts = options_.field_accounts;
  cluster.delays.chance = scenario_.chance;
  cluster.leads_at_once = options_.leads_at_once;
  cluster.nodes_rest = !options_.watched && !options_.audit_policy && scenario_.api_objects_per_second == 0;
  cluster.store_on_disk = needs_disk(scenario_);
  cluster.api_objects_per_second = scenario_.api_objects_per_second;
  cluster.names_cached = scenario_.names_cached;
  cluster.controllers_apart = controllers_apart(scenario_);
  if (custom_) cluster.schema = &custom_->schema();
  cluster_ = std::make_unique<SimulatedCluster>(cluster, &trace_);
  invariants_ = std::make_unique<Invariants>([this] { return cluster_->executor().now(); });
  invariants_->watch(cluster_->watched_store());
  cluster_->on_store_change([this] {
    invariants_->watch(cluster_->watched_store());
    expectations_.forget_objects();
  });
  const Rng rng = Rng(options_.seed).fork("scenario");
  const FaultInjector::Listener listener{[this](const std::string& text) { note(text); },
                                         [this](const std::string& what, const std::string& why) { fail(what, why); }};
  injector_ = std::make_unique<FaultInjector>(*cluster_, rng.fork("faults"), listener);
  actions_ = std::make_unique<Actions>(*cluster_, *injector_, rng.fork("actions"), listener);
  triggers_ = std::make_unique<Triggers>(*cluster_, rng.fork("triggers"));
  outer_context_ = set_check_context([this] {
    return cat("in scenario ", scenario_.name, " with --seed ", options_.seed, " at ", format_duration(now()));
  });
}

Run::~Run() { set_check_context(outer_context_); }

void Run::note(const std::string& text) {
  if (options_.on_action) options_.on_action(now(), text);
  for (auto* listener : options_.listeners) listener->on_action(now(), text);
}

void Run::tell(const Finding& finding) {
  for (auto* listener : options_.listeners) listener->on_finding(now(), finding);
}

void Run::fail(const std::string& what, const std::string& why) {
  failures_.push_back({what, false, now(), why});
  tell(failures_.back());
}

Status Run::start() {
  trace_.listen(&expectations_);
  for (auto* listener : options_.listeners) {
    listener->on_schema(cluster_->schema());
    trace_.listen(listener);
  }
  for (const auto& action : scenario_.timeline) {
    triggers_->arm(action.trigger, [this, &action] { actions_->perform(action); }, cat(action.place, ": ", action.text));
  }
  for (const auto& rule : scenario_.faults) {
    triggers_->arm(rule.trigger, [this, &rule] { injector_->begin(rule.fault); }, cat(rule.place, ": ", rule.fault.text));
  }
  cluster_->start();
  return {};
}

Duration Run::next_look() const {
  const Duration next{(now().ns / kLookPeriod.ns + 1) * kLookPeriod.ns};
  return now() < scenario_.duration ? std::min(next, scenario_.duration) : next;
}

Instant Run::next() const { return std::min(cluster_->executor().next(), Instant{next_look().ns}); }

void Run::advance(Duration until, const std::function<bool()>& interrupt) {
  const bool was_over = over_;
  while (now() < until) {
    const Duration stop = next_look();
    if (cluster_->executor().run_until(Instant{std::min(until, stop).ns}, interrupt)) return;
    if (now() < stop) return;
    look();
    if (over_ && !was_over) return;
  }
}

Status Run::inject(std::string_view text, std::string_view name) {
  MINIK_ASSIGN(auto actions, parse_actions(text, name, &scenario_));
  MINIK_TRY(check_targets(*cluster_, actions));
  for (auto& action : actions) {
    // Drains and upgrades go on for longer than this call.
    injected_.push_back(std::make_unique<Action>(std::move(action)));
    actions_->perform(*injected_.back());
  }
  return {};
}

void Run::look() {
  triggers_->look();
  expectations_.check(now(), cluster_->store(), cluster_->metrics());
  for (const auto& finding : expectations_.newly_settled()) tell(finding);
  check_invariants();
  for (auto* listener : options_.listeners) listener->on_second(now(), *cluster_);
  if (over_ || now() < scenario_.duration) return;
  if (!std::exchange(timeline_over_, true)) {
    for (const auto& what : triggers_->never_fired()) note(cat(what, " has not happened: what it waits for has not come"));
  }
  if (!scenario_.convergence) {
    over_ = true;
    if (const auto open = actions_->unanswered(); !open.empty()) fail("every action has happened", join(open, "; "));
    for (const auto& what : actions_->unfinished()) note(cat("not over at the end: ", what));
  } else if (!healed_) {
    heal();
  } else {
    check_convergence();
  }
}

bool Run::troubled() const {
  if (!injector_->active().empty() || !cluster_->api_running()) return true;
  const auto components = cluster_->components();
  return !std::ranges::all_of(components, [&](const Component& component) { return cluster_->running(component); });
}

void Run::check_invariants() {
  const Instant now = cluster_->executor().now();
  if (troubled()) {
    calm_since_ = now;
    cluster_->disturb();
  }
  invariants_->look(cluster_->store(), now, calm_since_);
  for (const auto& invariant : invariants_->all()) {
    const auto known = [&](const Finding& finding) { return finding.what == invariant->name(); };
    if (invariant->broken() && std::ranges::none_of(failures_, known)) fail(std::string(invariant->name()), *invariant->broken());
  }
}

void Run::heal() {
  healed_ = true;
  judge_.emplace(scenario_.convergence->except);
  triggers_->stop();
  note("everything heals");
  injector_->end_all();
}

void Run::check_convergence() {
  auto pending = judge_->pending(cluster_->store(), cluster_->executor().now());
  if (!cluster_->api_running()) pending.insert(pending.begin(), "the API server does not run");
  for (const auto& component : cluster_->components()) {
    if (cluster_->running(component)) continue;
    pending.insert(pending.begin(), cat(component.is_single_controller() ? "" : "the ", component.name,
                                        component == Component::kControllers ? " do not run" : " does not run"));
  }
  for (const auto& what : {actions_->unanswered(), actions_->unfinished()}) pending.insert(pending.end(), what.begin(), what.end());
  if (pending.empty()) {
    if (!at_rest_since_) at_rest_since_ = now();
    if (now() - *at_rest_since_ < kRestLasts) return;
  } else {
    at_rest_since_.reset();
    if (now() - scenario_.duration < scenario_.convergence->within) return;
  }
  over_ = true;
  convergence_ = {cat("everything comes to rest within ", format_duration(scenario_.convergence->within), " after the faults"),
                  pending.empty(), at_rest_since_.value_or(now()), {}};
  if (pending.size() > kPendingShownMax) {
    const size_t more = pending.size() - kPendingShownMax;
    pending.resize(kPendingShownMax);
    pending.push_back(cat("and ", more, " more"));
  }
  convergence_->detail = join(pending, "; ");
  tell(*convergence_);
}

RunOutcome Run::conclude() {
  invariants_->compare(cluster_->store());
  check_invariants();
  RunOutcome outcome;
  outcome.virtual_time = now();
  outcome.steps = cluster_->executor().steps();
  outcome.writes = cluster_->store().revision().value;
  outcome.findings = expectations_.conclude();
  if (convergence_) outcome.findings.push_back(*convergence_);
  outcome.findings.insert(outcome.findings.end(), failures_.begin(), failures_.end());
  // The trace ends with the run: what is torn down afterwards is no part of it.
  outcome.trace_hash = trace_.hash();
  outcome.trace_entries = trace_.entries();
  return outcome;
}

bool RunOutcome::passed() const {
  return std::ranges::all_of(findings, [](const Finding& f) { return f.held; });
}

Result<RunOutcome> run_scenario(const Scenario& scenario, const RunOptions& options) {
  Run run(scenario, options);
  MINIK_TRY(run.start());
  while (!run.over()) run.advance(run.now() + hours(1));
  return run.conclude();
}

}  // namespace minik::sim
