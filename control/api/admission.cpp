#include "control/api/admission.h"

#include <algorithm>

#include "control/api/errors.h"
#include "control/api/metadata.h"
#include "control/api/mountable_secrets.h"
#include "control/api/pod_references.h"
#include "control/api/runtime_class.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr int64_t kTolerationSeconds = 300;
constexpr size_t kMemosMax = 256;
constexpr std::string_view kTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kTokenVolumePrefix = "kube-api-access-";
constexpr std::string_view kNamespacesForever[] = {"default", "kube-system", "kube-public"};


Value with_default_tolerations(const Value& spec) {
  std::vector<Value> tolerations(spec[keys::kTolerations].items().begin(),
                                 spec[keys::kTolerations].items().end());
  const auto tolerated = [&](std::string_view taint) {
    return std::ranges::any_of(tolerations, [&](const Value& t) {
      const auto effect = t[keys::kEffect].as_string();
      const auto key = t[keys::kKey].as_string();
      return (key == taint || key.empty()) && (effect.empty() || effect == "NoExecute");
    });
  };
  for (const std::string_view taint : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    if (tolerated(taint)) continue;
    tolerations.push_back(Value::map({{keys::kKey, taint},
                                      {keys::kOperator, "Exists"},
                                      {keys::kEffect, "NoExecute"},
                                      {keys::kTolerationSeconds, kTolerationSeconds}}));
  }
  return spec.with(keys::kTolerations, Value::array(std::move(tolerations)));
}

Value token_volume(std::string_view name) {
  const Value token = Value::map(
      {{keys::kServiceAccountToken,
        Value::map({{keys::kExpirationSeconds, 3607}, {keys::kPath, "token"}})}});
  const Value ca = Value::map(
      {{keys::kConfigMap,
        Value::map({{keys::kName, "kube-root-ca.crt"},
                    {keys::kItems, Value::array({Value::map({{keys::kKey, "ca.crt"},
                                                             {keys::kPath, "ca.crt"}})})}})}});
  const Value namespace_ = Value::map(
      {{keys::kDownwardAPI,
        Value::map({{keys::kItems,
                     Value::array({Value::map(
                         {{keys::kPath, "namespace"},
                          {keys::kFieldRef, Value::map({{keys::kApiVersion, "v1"},
                                                        {keys::kFieldPath, "metadata.namespace"}})}})})}})}});
  return Value::map({{keys::kName, name},
                     {keys::kProjected,
                      Value::map({{keys::kDefaultMode, 420},
                                  {keys::kSources, Value::array({token, ca, namespace_})}})}});
}

bool mounts_token(const Value& container) {
  return std::ranges::any_of(container[keys::kVolumeMounts].items(),
                             [](const Value& m) { return m[keys::kMountPath].as_string() == kTokenPath; });
}

// Whether a container has nothing of its own at the place of the token.
bool needs_token(const Value& spec) {
  for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : spec[key].items()) {
      if (!mounts_token(container)) return true;
    }
  }
  return false;
}

Value with_token_mounts(const Value& containers, std::string_view volume) {
  std::vector<Value> result;
  for (const auto& container : containers.items()) {
    if (mounts_token(container)) {
      result.push_back(container);
      continue;
    }
    const auto mounts = container[keys::kVolumeMounts].items();
    std::vector<Value> all(mounts.begin(), mounts.end());
    all.push_back(Value::map(
        {{keys::kName, volume}, {keys::kReadOnly, true}, {keys::kMountPath, kTokenPath}}));
    result.push_back(container.with(keys::kVolumeMounts, Value::array(std::move(all))));
  }
  return Value::array(std::move(result));
}

// A stable suffix from the spec's content: pods of one template share one admitted spec.
std::string suffix_of(uint64_t hash) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (int i = 0; i < 5; ++i, hash /= kAlphabet.size()) text += kAlphabet[hash % kAlphabet.size()];
  return text;
}

}  // namespace

Admission::Admission(Store& store, const Schema& schema, Executor& executor,
                     std::string service_cidr)
    : store_(store),
      schema_(schema),
      limit_ranger_(store, schema),
      quota_(store, schema, executor),
      events_(store),
      services_(schema, service_cidr) {}

void Admission::load() {
  store_.for_each(kinds::kServices, [this](const Value& service) { services_.claim(service); });
  quota_.load();
}

Admission::Memo* Admission::memo_of_decoded(const Value& spec) {
  for (auto& memo : memos_) {
    if (memo.decoded.same_node(spec)) return &memo;
  }
  return nullptr;
}

Result<Value> Admission::cached_decode(const ResourceInfo& resource, const ApiRequest& request,
                                       const std::function<Result<Value>()>& decode) {
  if (resource.id != kinds::kPods || !is_master(request.user)) return decode();
  const Value& spec = request.body[keys::kSpec];
  for (const auto& memo : memos_) {
    if (memo.body_spec.same_node(spec)) return request.body.with(keys::kSpec, memo.decoded);
  }
  auto decoded = decode();
  if (!decoded) return decoded;
  if (memos_.size() == kMemosMax) memos_.pop_back();
  memos_.push_front({spec, (*decoded)[keys::kSpec], {}, {}, {}, false});
  return decoded;
}

Status Admission::cached_validate(const ResourceInfo& resource, const Value& object,
                                  const std::function<Status()>& validate) {
  if (resource.id != kinds::kPods) return validate();
  for (auto& memo : memos_) {
    if (!memo.admitted.is_absent() && memo.admitted.same_node(object[keys::kSpec])) {
      if (memo.validated) return {};
      auto status = validate();
      memo.validated = status.ok();
      return status;
    }
  }
  return validate();
}

Result<Value> Admission::admit_create(const ResourceInfo& resource, Value object) {
  if (resource.namespaced) {
    const auto namespace_ = object_namespace(object);
    const Value& home = store_.find(kinds::kNamespaces, "", namespace_);
    if (home.is_absent()) return not_found(schema_.resource(kinds::kNamespaces), namespace_);
    if (is_deleting(home) && resource.id != kinds::kEvents && resource.id != kinds::kEventsEvents) {
      Error error = forbidden(resource, object_name(object),
                              cat("unable to create new content in namespace ", namespace_, " because it is being terminated"));
      // By this operators know that there is nothing to try again.
      error.causes.push_back({"NamespaceTerminating", cat("namespace ", namespace_, " is being terminated"), "metadata.namespace"});
      return error;
    }
  }
  return complete_new(resource, std::move(object));
}

Result<Value> Admission::admit_again(const ResourceInfo& resource, Value object) {
  return resource.id == kinds::kPods ? complete_new(resource, std::move(object)) : object;
}

Status Admission::check_limits(const ResourceInfo& resource, const Value& object, const Value& old) const {
  if (resource.id == kinds::kPersistentvolumeclaims) return limit_ranger_.check_claim(object);
  if (resource.id != kinds::kPods) return {};
  MINIK_TRY(limit_ranger_.check_pod(object));
  if (!old.is_absent()) return {};
  const Value& spec = object[keys::kSpec];
  return check_mountable_secrets(
      object, store_.find(kinds::kServiceaccounts, object_namespace(object), spec[keys::kServiceAccountName].as_string()));
}

Status Admission::check_quota(const ResourceInfo& resource, const Value& object, const Value& old) const {
  return quota_.check(resource, object, old);
}

Result<Value> Admission::complete_new(const ResourceInfo& resource, Value object) {
  if (resource.id == kinds::kPods) {
    return admit_pod(limit_ranger_.with_defaults(object));
  }
  if (resource.id == kinds::kPriorityclasses || resource.id == kinds::kRuntimeclasses) memos_.clear();
  if (resource.id == kinds::kPriorityclasses) MINIK_TRY(check_only_default(object));
  if (resource.id == kinds::kNamespaces) {
    const Key label("kubernetes.io/metadata.name");
    return object.with_at({keys::kMetadata, keys::kLabels, label}, Value(object_name(object)));
  }
  if (resource.id == kinds::kIngresses) return with_default_ingress_class(std::move(object));
  if (resource.id == kinds::kPersistentvolumeclaims) return admit_claim(std::move(object));
  if (resource.id == kinds::kPersistentvolumes) {
    return with_finalizer(object, "kubernetes.io/pv-protection");
  }
  return object;
}

// The admission plugins DefaultStorageClass and StorageObjectInUseProtection.
Value Admission::admit_claim(Value claim) const {
  claim = with_finalizer(claim, "kubernetes.io/pvc-protection");
  if (!asks_for_default_class(claim)) return claim;
  std::vector<Value> classes;
  store_.for_each(kinds::kStorageclasses, [&](const Value& c) { classes.push_back(c); });
  const Value chosen = default_storage_class(classes);
  if (chosen.is_absent()) return claim;
  return claim.with_at({keys::kSpec, keys::kStorageClassName}, Value(object_name(chosen)));
}

// The admission plugin PersistentVolumeClaimResize.
Status Admission::admit_claim_update(const Value& claim, const Value& old) const {
  const auto size = [](const Value& object) {
    return Quantity::of_value(object[keys::kSpec][keys::kResources][keys::kRequests].get("storage"));
  };
  if (size(claim) <= size(old)) return {};
  const auto refuse = [&](std::string_view why) {
    return forbidden(schema_.resource(kinds::kPersistentvolumeclaims), object_name(claim), why);
  };
  if (old[keys::kStatus][keys::kPhase].as_string() != "Bound") {
    return refuse("Only bound persistent volume claims can be expanded");
  }
  const Value& storage_class = store_.find(kinds::kStorageclasses, "", storage_class_of(old));
  if (storage_class[keys::kAllowVolumeExpansion].as_bool()) return {};
  return refuse("only dynamically provisioned pvc can be resized and the storageclass that "
                "provisions the pvc must support resize");
}

// The admission plugin DefaultIngressClass: an Ingress that names no class gets the default one.
Value Admission::with_default_ingress_class(Value ingress) const {
  const Value& annotations = ingress[keys::kMetadata][keys::kAnnotations];
  if (ingress[keys::kSpec][keys::kIngressClassName].has_value() ||
      annotations.get("kubernetes.io/ingress.class").has_value()) {
    return ingress;
  }
  std::string name;
  store_.for_each(kinds::kIngressclasses, [&](const Value& ingress_class) {
    const Value& marks = ingress_class[keys::kMetadata][keys::kAnnotations];
    if (marks.get("ingressclass.kubernetes.io/is-default-class").as_string() == "true") {
      name = object_name(ingress_class);
    }
  });
  return name.empty() ? ingress : ingress.with_at({keys::kSpec, keys::kIngressClassName}, Value(name));
}

Result<Value> Admission::admit_update(const ResourceInfo& resource, Value object, const Value& old) {
  if (resource.id == kinds::kPriorityclasses || resource.id == kinds::kRuntimeclasses) memos_.clear();
  if (resource.id == kinds::kPriorityclasses) MINIK_TRY(check_only_default(object));
  if (resource.id == kinds::kPersistentvolumeclaims) {
    MINIK_TRY(admit_claim_update(object, old));
  }
  return object;
}

Value Admission::admit_status(const ResourceInfo& resource, Value object) {
  return resource.id == kinds::kResourcequotas ? quota_.with_exact_usage(object) : object;
}

Status Admission::admit_delete(const ResourceInfo& resource, const Value& object) {
  if (resource.id == kinds::kPriorityclasses || resource.id == kinds::kRuntimeclasses) memos_.clear();
  if (resource.id != kinds::kNamespaces) return {};
  for (const auto name : kNamespacesForever) {
    if (object_name(object) == name) {
      return forbidden(resource, name, "this namespace may not be deleted");
    }
  }
  return {};
}

Result<Value> Admission::admit_pod(Value pod) {
  const Value& spec = pod[keys::kSpec];
  const auto namespace_ = object_namespace(pod);
  if (!spec[keys::kEphemeralContainers].empty()) {
    return invalid(schema_.resource(kinds::kPods), object_name(pod),
                   {{"FieldValueForbidden", "Forbidden: cannot be set on create", "spec.ephemeralContainers"}});
  }
  std::string account_name = spec[keys::kServiceAccountName].string();
  if (is_mirror_pod(pod)) {
    const auto refuse = [&](std::string_view why) { return forbidden(schema_.resource(kinds::kPods), object_name(pod), why); };
    if (!account_name.empty()) return refuse("a mirror pod may not reference service accounts");
    if (names_secrets(spec)) return refuse("a mirror pod may not reference secrets");
    for (const auto& volume : spec[keys::kVolumes].items()) {
      for (const auto& source : volume[keys::kProjected][keys::kSources].items()) {
        if (source[keys::kServiceAccountToken].is_map())
          return refuse("a mirror pod may not use ServiceAccountToken volume projections");
      }
    }
    const auto complete = admit_pod_spec(spec, namespace_, Value());
    if (!complete) return refuse(complete.error().message);
    return pod.with(keys::kSpec, *complete);
  }
  if (account_name.empty()) account_name = "default";
  const Value& account = store_.find(kinds::kServiceaccounts, namespace_, account_name);
  if (account.is_absent()) {
    return forbidden(schema_.resource(kinds::kPods), object_name(pod),
                     cat("error looking up service account ", namespace_, "/", account_name,
                         ": serviceaccount ", quoted(account_name), " not found"));
  }
  Memo* memo = memo_of_decoded(spec);
  if (memo && memo->namespace_ == namespace_ && memo->account.same_node(account)) {
    return pod.with(keys::kSpec, memo->admitted);
  }
  auto complete = admit_pod_spec(spec, namespace_, account);
  if (!complete) return forbidden(schema_.resource(kinds::kPods), object_name(pod), complete.error().message);
  const Value admitted = *std::move(complete);
  if (memo) {
    memo->namespace_ = namespace_;
    memo->account = account;
    memo->admitted = admitted;
    memo->validated = false;
  }
  return pod.with(keys::kSpec, admitted);
}

Result<Value> Admission::admit_pod_spec(const Value& given, std::string_view namespace_,
                                        const Value& account) {
  const auto runtime_class = given[keys::kRuntimeClassName].as_string();
  MINIK_ASSIGN(const Value spec, with_runtime_class(given, runtime_class.empty()
                                                               ? Value()
                                                               : store_.find(kinds::kRuntimeclasses, "", runtime_class)));
  MapBuilder builder(spec);
  if (!account.is_absent()) {
    builder.set(keys::kServiceAccountName, object_name(account));
    builder.set(keys::kServiceAccount, object_name(account));
  }
  if (spec[keys::kImagePullSecrets].empty() && !account[keys::kImagePullSecrets].empty())
    builder.set(keys::kImagePullSecrets, account[keys::kImagePullSecrets]);
  const bool automount = !account.is_absent() && spec[keys::kAutomountServiceAccountToken].as_bool(
      account[keys::kAutomountServiceAccountToken].as_bool(true));
  if (automount) {
    const auto given_volumes = spec[keys::kVolumes].items();
    const auto known = std::ranges::find_if(
        given_volumes, [](const Value& v) { return v[keys::kName].as_string().starts_with(kTokenVolumePrefix); });
    const std::string volume = known != given_volumes.end() ? (*known)[keys::kName].string()
                                                            : cat(kTokenVolumePrefix, suffix_of(spec.hash() ^ fnv1a_64(namespace_)));
    if (known == given_volumes.end() && needs_token(spec)) {
      std::vector<Value> volumes(given_volumes.begin(), given_volumes.end());
      volumes.push_back(token_volume(volume));
      builder.set(keys::kVolumes, Value::array(std::move(volumes)));
    }
    for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
      if (spec[key].is_array()) builder.set(key, with_token_mounts(spec[key], volume));
    }
  }
  MINIK_TRY(add_priority(spec, builder));
  return with_default_tolerations(std::move(builder).build());
}

Status Admission::check_only_default(const Value& priority_class) const {
  if (!priority_class[keys::kGlobalDefault].as_bool()) return {};
  std::string other;
  store_.for_each(kinds::kPriorityclasses, [&](const Value& known) {
    const auto name = object_name(known);
    if (!known[keys::kGlobalDefault].as_bool() || name == object_name(priority_class)) return;
    if (other.empty() || name < other) other = name;
  });
  if (other.empty()) return {};
  return forbidden(schema_.resource(kinds::kPriorityclasses), object_name(priority_class),
                   cat("PriorityClass ", other, " is already marked as default. Only one default can exist"));
}

// The admission plugin Priority: a class's value and policy, from the class that is named or from the one
// that is everybody's default.
Status Admission::add_priority(const Value& spec, MapBuilder& builder) const {
  const Value* chosen = nullptr;
  std::string class_name = spec[keys::kPriorityClassName].string();
  if (!class_name.empty()) {
    chosen = &store_.find(kinds::kPriorityclasses, "", class_name);
    if (chosen->is_absent()) {
      return Error(ErrorCode::kForbidden, cat("no PriorityClass with name ", class_name, " was found"));
    }
  } else {
    // Two defaults are a mistake; the lower value does less harm.
    store_.for_each(kinds::kPriorityclasses, [&](const Value& priority_class) {
      if (!priority_class[keys::kGlobalDefault].as_bool()) return;
      const auto rank = [](const Value& c) { return std::pair(c[keys::kValue].as_int(), object_name(c)); };
      if (!chosen || rank(priority_class) < rank(*chosen)) chosen = &priority_class;
    });
    if (chosen) builder.set(keys::kPriorityClassName, object_name(*chosen));
  }
  const int64_t priority = chosen ? (*chosen)[keys::kValue].as_int() : 0;
  const Value& wanted = spec[keys::kPriority];
  if (wanted.is_int() && wanted.as_int() != priority) {
    return Error(ErrorCode::kForbidden,
                 cat("the integer value of priority (", wanted.as_int(),
                     ") must not be provided in pod spec; priority admission controller computed ", priority,
                     " from the given PriorityClass name"));
  }
  builder.set(keys::kPriority, priority);
  const std::string_view policy = chosen ? (*chosen)[keys::kPreemptionPolicy].as_string("PreemptLowerPriority")
                                         : std::string_view("PreemptLowerPriority");
  const std::string_view given = spec[keys::kPreemptionPolicy].as_string();
  if (!given.empty() && given != policy) {
    return Error(ErrorCode::kForbidden,
                 cat("the string value of PreemptionPolicy (", given,
                     ") must not be provided in pod spec; priority admission controller computed ", policy,
                     " from the given PriorityClass name"));
  }
  builder.set(keys::kPreemptionPolicy, policy);
  return {};
}

Result<Value> Admission::allocate(const ResourceInfo& resource, Value object, const Value& old) {
  return resource.id == kinds::kServices ? services_.admit(object, old) : object;
}

void Admission::created(const ResourceInfo& resource, const Value& object) {
  if (resource.id == kinds::kServices) services_.claim(object);
  if (resource.id == kinds::kEvents) events_.created(object);
  quota_.charge(resource, object, Value());
}

void Admission::updated(const ResourceInfo& resource, const Value& object, const Value& old) {
  quota_.charge(resource, object, old);
  if (resource.id != kinds::kServices) return;
  services_.release(old);
  services_.claim(object);
}

void Admission::deleted(const ResourceInfo& resource, const Value& object) {
  if (resource.id == kinds::kServices) services_.release(object);
  quota_.forget(resource, object);
}

}  // namespace minik::control
