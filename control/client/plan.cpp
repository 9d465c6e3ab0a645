#include "control/client/plan.h"

#include <algorithm>

#include "control/object/keys.h"

namespace minik::control {

namespace {

PlannedWrite& append(Plan& plan, Verb verb, KindId kind, const ObjectKey& key) {
  PlannedWrite write;
  write.request.verb = verb;
  write.request.kind = kind;
  write.request.namespace_ = key.namespace_;
  write.request.name = key.name;
  plan.writes.push_back(std::move(write));
  return plan.writes.back();
}

}  // namespace

PlannedWrite& Plan::create(KindId kind, Value object) {
  auto& write = append(*this, Verb::kCreate, kind, {std::string(object_namespace(object)), ""});
  write.request.body = std::move(object);
  return write;
}

PlannedWrite& Plan::update(KindId kind, Value object) {
  auto& write = append(*this, Verb::kUpdate, kind, key_of(object));
  write.request.body = std::move(object);
  return write;
}

PlannedWrite& Plan::update_status(KindId kind, Value object) {
  auto& write = update(kind, std::move(object));
  write.request.subresource = "status";
  return write;
}

PlannedWrite& Plan::patch(KindId kind, const ObjectKey& key, PatchType type, Value patch,
                          std::string subresource) {
  auto& write = append(*this, Verb::kPatch, kind, key);
  write.request.patch_type = type;
  write.request.body = std::move(patch);
  write.request.subresource = std::move(subresource);
  return write;
}

PlannedWrite& Plan::remove(KindId kind, const Value& object, PropagationPolicy propagation) {
  auto& write = append(*this, Verb::kDelete, kind, key_of(object));
  write.request.options.preconditions.uid = object_uid(object);
  write.request.options.propagation = propagation;
  write.on_error = OnError::kTolerateNotFound;
  return write;
}

PlannedWrite& Plan::create_subresource(KindId kind, const ObjectKey& key, std::string subresource,
                                       Value body) {
  auto& write = append(*this, Verb::kCreate, kind, key);
  write.request.subresource = std::move(subresource);
  write.request.body = std::move(body);
  return write;
}

void Plan::note(const Value& regarding, std::string type, std::string reason, std::string message) {
  events.push_back({regarding, std::move(type), std::move(reason), std::move(message)});
}

void Plan::look_again_after(Duration delay) {
  requeue_after = requeue_after ? std::min(*requeue_after, delay) : delay;
}

}  // namespace minik::control
