#include "sim/actions.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/custom_kinds.h"
#include "sim/drain.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::ApiRequest;
using control::Value;
using control::Verb;

namespace {

constexpr Duration kRetry = seconds(1), kGiveUp = minutes(5);
constexpr std::string_view kFieldManager = "scenario";

// Errors of the moment: the next try may go well.
bool is_of_the_moment(ErrorCode code) {
  switch (code) {
    case ErrorCode::kServiceUnavailable:
    case ErrorCode::kTooManyRequests:
    case ErrorCode::kTimeout:
    case ErrorCode::kServerTimeout:
    case ErrorCode::kInternalError:
    case ErrorCode::kConflict: return true;
    default: return false;
  }
}

ApiRequest request_for(const ObjectReference& target, Verb verb) {
  ApiRequest request;
  request.verb = verb;
  request.kind = target.id;
  request.namespace_ = target.namespace_;
  request.name = target.name;
  return request;
}

}  // namespace

Actions::Actions(SimulatedCluster& cluster, FaultInjector& faults, Rng rng, FaultInjector::Listener listener)
    : cluster_(cluster), faults_(faults), rng_(rng), listener_(std::move(listener)) {}

Actions::~Actions() = default;

void Actions::perform(const Action& action) {
  std::visit([&](const auto& what) { act(action, what); }, action.what);
}

void Actions::send(ApiRequest request, const std::string& what, std::function<void(const Status&)> done) {
  if (const auto served = served_kind(cluster_.schema(), request.kind)) {
    request.kind = *served;
  } else {
    const Status refused = Error(ErrorCode::kNotFound, "its kind is not served");
    if (done) return done(refused);
    return listener_.failed(what, refused.error().message);
  }
  try_send(std::make_shared<const ApiRequest>(std::move(request)), what, cluster_.executor().now() + kGiveUp, std::move(done));
}

void Actions::try_send(std::shared_ptr<const ApiRequest> request, const std::string& what, Instant give_up,
                       std::function<void(const Status&)> done) {
  cluster_.request(*request, [this, request, what, give_up, done = std::move(done)](const Result<control::ApiResponse>& result) {
    const auto now = cluster_.executor().now();
    const ErrorCode code = result ? ErrorCode::kInternalError : result.error().code;
    // What is not there may be among what is still being applied.
    const bool of_the_moment = is_of_the_moment(code) || (code == ErrorCode::kNotFound && applying_ > 0);
    if (!result && of_the_moment && now < give_up) {
      // Patience is for what the server answers: who finds it away comes back when it is there.
      const Instant until = code == ErrorCode::kServiceUnavailable ? now + kGiveUp : give_up;
      cluster_.executor().after(kRetry, [this, request, what, until, done] { try_send(request, what, until, done); });
      return;
    }
    if (done) {
      done(result ? Status() : Status(result.error()));
    } else if (!result) {
      listener_.failed(what, result.error().message);
    }
  });
}

void Actions::act(const Action&, const ApplyAction& action) {
  ++applying_;
  apply(action.objects, 0, cluster_.executor().now() + kGiveUp);
}

void Actions::apply(const std::vector<Value>& objects, size_t from, Instant give_up) {
  if (from == objects.size()) {
    --applying_;
    return;
  }
  const Value& object = objects[from];
  const auto* resource = cluster_.schema().find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
  if (!resource) {
    // Its definition is not served yet, or refused.
    if (cluster_.executor().now() < give_up) {
      cluster_.executor().after(kRetry, [this, &objects, from, give_up] { apply(objects, from, give_up); });
      return;
    }
    listener_.failed(cat("apply ", object[keys::kKind].as_string(), " ", control::object_name(object)), "its kind is not served");
    apply(objects, from + 1, cluster_.executor().now() + kGiveUp);
    return;
  }
  ApiRequest request;
  request.kind = resource->id;
  if (resource->namespaced) request.namespace_ = object[keys::kMetadata][keys::kNamespace].as_string("default");
  request.body = object;
  request.name = control::object_name(object);
  const std::string what = cat("apply ", resource->kind, " ", request.name);
  if (request.name.empty()) {
    request.verb = Verb::kCreate;  // generateName
  } else {
    request.verb = Verb::kPatch;
    request.patch_type = control::PatchType::kApply;
    request.options.force = true;
    request.options.field_manager = kFieldManager;
  }
  listener_.note(what);
  send(std::move(request), what, [this, what, &objects, from](const Status& status) {
    if (!status) listener_.failed(what, status.error().message);
    apply(objects, from + 1, cluster_.executor().now() + kGiveUp);
  });
}

void Actions::act(const Action& from, const PatchAction& action) {
  ApiRequest request = request_for(action.target, Verb::kPatch);
  request.patch_type = action.type;
  request.body = action.patch;
  listener_.note(action.says);
  send(std::move(request), cat(from.text, " ", action.target.name));
}

void Actions::act(const Action&, const DeleteAction& action) {
  ApiRequest request = request_for(action.target, Verb::kDelete);
  request.options.propagation = action.propagation;
  listener_.note(cat("delete ", action.target.text()));
  send(std::move(request), cat("delete ", action.target.name));
}

std::vector<std::string> Actions::choose(const Action& from, const NodeChoice& choice) {
  auto chosen = choose_nodes(cluster_, choice, rng_, [&](const std::string& name) { return cluster_.node_running(name); });
  if (chosen) return *std::move(chosen);
  listener_.failed(from.text, chosen.error().message);
  return {};
}

void Actions::cordon(const std::string& node, bool unschedulable, std::function<void(const Status&)> done) {
  ApiRequest request;
  request.verb = Verb::kPatch;
  request.kind = kinds::kNodes;
  request.name = node;
  request.patch_type = control::PatchType::kStrategicMerge;
  request.body = Value::empty_map().with_at({keys::kSpec, keys::kUnschedulable}, Value(unschedulable));
  listener_.note(cat(unschedulable ? "cordon " : "uncordon ", node));
  send(std::move(request), cat(unschedulable ? "cordon " : "uncordon ", node), std::move(done));
}

void Actions::act(const Action& from, const CordonAction& action) {
  for (const auto& node : choose(from, action.nodes)) cordon(node, action.unschedulable);
}

void Actions::act(const Action& from, const DrainAction& action) {
  for (const auto& node : choose(from, action.nodes)) {
    const auto drain = std::make_shared<Drain>(*this, node, action, [this, node](Drain::End end) {
      listener_.note(cat(end == Drain::End::kDrained ? "drained " : "gave up draining ", node));
    });
    drains_.insert(drain);
    drain->start();
  }
}

void Actions::act(const Action& from, const UpgradePoolAction& action) {
  NodeChoice pool;
  pool.pool = action.pool;
  auto nodes = choose(from, pool);
  if (nodes.empty()) {
    listener_.failed(from.text, cat("no node of a pool ", action.pool, " is running"));
    return;
  }
  listener_.note(cat("upgrade pool ", action.pool, ", ", nodes.size(), " nodes, ", action.max_unavailable, " at a time"));
  upgrades_.push_back(std::make_shared<Upgrade>(*this, action, std::move(nodes), rng_.fork(cat("upgrade/", upgrades_.size()))));
  upgrades_.back()->advance();
}

void Actions::act(const Action&, const RestartAction& action) {
  listener_.note(cat("restart ", action.component.name));
  cluster_.set_apart(action.component);
  for (const auto& component : cluster_.components()) {
    if (action.component.includes(component)) cluster_.restart(component);
  }
}

void Actions::act(const Action& from, const SetLoadAction& action) {
  const auto& images = cluster_.surroundings().images;
  if (std::ranges::none_of(images, [&](const ImageBehaviour& image) { return image.match == action.image; })) {
    listener_.failed(from.text, cat("no entry of `images` matches ", quoted(action.image)));
    return;
  }
  if (action.milli_cpu) cluster_.set_load(action.image, *action.milli_cpu);
  if (action.requests) cluster_.set_load_requests(action.image, *action.requests);
  listener_.note(cat("load of ", action.image, ": ",
                     action.requests ? cat(*action.requests, " requests/s") : cat(*action.milli_cpu, "m CPU")));
}

void Actions::act(const Action& from, const StartNodesAction& action) {
  auto chosen = choose_nodes(cluster_, action.nodes, rng_, [&](const std::string& name) { return !cluster_.node_running(name); });
  if (!chosen) {
    listener_.failed(from.text, chosen.error().message);
    return;
  }
  for (const auto& name : *chosen) listener_.note(cat(from.text, " ", name));
  faults_.start_nodes(*chosen);
}

void Actions::act(const Action& from, const HealNodesAction& action) {
  const auto chosen = choose(from, action.nodes);
  for (const auto& name : chosen) listener_.note(cat(from.text, " ", name));
  faults_.heal_nodes(chosen);
}

void Actions::act(const Action&, const InjectAction& action) { faults_.begin(action.fault); }

std::vector<std::string> Actions::unfinished() const {
  std::vector<std::string> texts;
  for (const auto& drain : drains_) texts.push_back(drain->text());
  for (const auto& upgrade : upgrades_) {
    if (!upgrade->over()) texts.push_back(upgrade->text());
  }
  std::ranges::sort(texts);
  return texts;
}

}  // namespace minik::sim
