#include "sim/actions.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::ApiRequest;
using control::Value;
using control::Verb;

namespace {

constexpr std::string_view kFieldManager = "scenario";

ApiRequest request_for(const ObjectReference& target, Verb verb) {
  return sim::request_for(verb, target.id, target.namespace_, target.name);
}

}  // namespace

Actions::Actions(SimulatedCluster& cluster, FaultInjector& faults, Rng rng, FaultInjector::Listener listener)
    : cluster_(cluster), faults_(faults), rng_(rng), client_(cluster, std::move(listener)) {}

Actions::~Actions() = default;

void Actions::perform(const Action& action) {
  std::visit([&](const auto& what) { act(action, what); }, action.what);
}

void Actions::act(const Action&, const ApplyAction& action) {
  client_.begin_applying();
  apply(action.objects, 0, cluster_.executor().now() + PatientClient::kGiveUp);
}

void Actions::apply(const std::vector<Value>& objects, size_t from, Instant give_up) {
  if (from == objects.size()) {
    client_.end_applying();
    return;
  }
  const Value& object = objects[from];
  const auto* resource = cluster_.schema().find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
  if (!resource) {
    // Its definition is not served yet, or refused.
    if (cluster_.executor().now() < give_up) {
      cluster_.executor().after(PatientClient::kRetry, [this, &objects, from, give_up] { apply(objects, from, give_up); });
      return;
    }
    client_.failed(cat("apply ", object[keys::kKind].as_string(), " ", control::object_name(object)), "its kind is not served");
    apply(objects, from + 1, cluster_.executor().now() + PatientClient::kGiveUp);
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
  client_.note(what);
  client_.send_applied(std::move(request), what, [this, what, &objects, from](const Status& status) {
    if (!status) client_.failed(what, status.error().message);
    apply(objects, from + 1, cluster_.executor().now() + PatientClient::kGiveUp);
  });
}

void Actions::act(const Action& from, const PatchAction& action) {
  ApiRequest request = request_for(action.target, Verb::kPatch);
  request.patch_type = action.type;
  request.options.field_manager = kFieldManager;
  request.body = action.patch;
  client_.note(action.says);
  client_.send(std::move(request), cat(from.text, " ", action.target.name));
}

void Actions::act(const Action&, const DeleteAction& action) {
  ApiRequest request = request_for(action.target, Verb::kDelete);
  request.options.propagation = action.propagation;
  client_.note(cat("delete ", action.target.text()));
  client_.send(std::move(request), cat("delete ", action.target.name));
}

// Whether its machine runs does not matter to what is done through the API.
bool Actions::is_registered(const std::string& node) const { return cluster_.store().find(kinds::kNodes, "", node).has_value(); }

std::vector<std::string> Actions::choose(const Action& from, const NodeChoice& choice, const std::function<bool(const std::string&)>& candidate) {
  auto chosen = choose_nodes(cluster_, choice, rng_, candidate);
  if (chosen) return *std::move(chosen);
  client_.failed(from.text, chosen.error().message);
  return {};
}

void Actions::act(const Action& from, const CordonAction& action) {
  const auto registered = [this](const std::string& node) { return is_registered(node); };
  for (const auto& node : choose(from, action.nodes, registered)) client_.set_unschedulable(node, action.unschedulable);
}

void Actions::act(const Action& from, const DrainAction& action) {
  for (const auto& node : choose(from, action.nodes, [this](const std::string& name) { return is_registered(name); })) {
    drains_.push_back(std::make_shared<Drain>(client_, node, action, [this, node](Drain::End end) {
      client_.note(cat(end == Drain::End::kDrained ? "drained " : "gave up draining ", node));
    }));
    drains_.back()->start();
  }
}

void Actions::act(const Action& from, const UpgradePoolAction& action) {
  NodeChoice pool;
  pool.pool = action.pool;
  auto nodes = choose(from, pool, [this](const std::string& name) { return is_registered(name); });
  if (nodes.empty()) {
    client_.failed(from.text, cat("the pool ", action.pool, " has no nodes"));
    return;
  }
  client_.note(cat("upgrade pool ", action.pool, ", ", nodes.size(), " nodes, ", action.max_unavailable, " at a time"));
  upgrades_.push_back(std::make_shared<PoolUpgrade>(client_, action, std::move(nodes), rng_.fork(cat("upgrade/", upgrades_.size()))));
  upgrades_.back()->advance();
}

void Actions::act(const Action&, const RestartAction& action) {
  client_.note(cat("restart ", action.component.name));
  cluster_.set_apart(action.component);
  for (const auto& component : cluster_.components()) {
    if (action.component.includes(component)) cluster_.replace(component);
  }
}

void Actions::act(const Action& from, const SetLoadAction& action) {
  const auto& images = cluster_.surroundings().images;
  if (std::ranges::none_of(images, [&](const ImageBehaviour& image) { return image.match == action.image; })) {
    client_.failed(from.text, cat("no entry of `images` matches ", quoted(action.image)));
    return;
  }
  if (action.milli_cpu) cluster_.set_load(action.image, *action.milli_cpu);
  if (action.requests) cluster_.set_load_requests(action.image, *action.requests);
  client_.note(cat("load of ", action.image, ": ",
                     action.requests ? cat(*action.requests, " requests/s") : cat(*action.milli_cpu, "m CPU")));
}

void Actions::act(const Action& from, const StartNodesAction& action) {
  auto chosen = choose(from, action.nodes, [this](const std::string& name) { return !cluster_.node_running(name); });
  for (const auto& name : chosen) {
    client_.note(cat(from.text, " ", name, cluster_.node_running(name) ? " changes nothing: its machine is on" : ""));
  }
  std::erase_if(chosen, [this](const std::string& name) { return cluster_.node_running(name); });
  faults_.start_nodes(chosen);
}

void Actions::act(const Action& from, const HealNodesAction& action) {
  const auto chosen = choose(from, action.nodes, [](const std::string&) { return true; });
  for (const auto& name : chosen) client_.note(cat(from.text, " ", name));
  faults_.heal_nodes(chosen);
}

void Actions::act(const Action&, const InjectAction& action) { faults_.begin(action.fault); }

std::vector<std::string> Actions::unfinished() const {
  std::vector<std::string> texts;
  for (const auto& drain : drains_) {
    if (!drain->over()) texts.push_back(drain->text());
  }
  for (const auto& upgrade : upgrades_) {
    if (upgrade->over()) continue;
    const auto left = upgrade->texts();
    texts.insert(texts.end(), left.begin(), left.end());
  }
  std::ranges::sort(texts);
  return texts;
}

}  // namespace minik::sim
