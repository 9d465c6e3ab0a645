#include "control/controllers/stateful_pod.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/controllers/revisions.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

constexpr std::string_view kPodName = "statefulset.kubernetes.io/pod-name";
constexpr std::string_view kPodIndex = "apps.kubernetes.io/pod-index";

// The number at the end of "<before>-<number>".
std::optional<int64_t> number_after(std::string_view before, std::string_view name) {
  if (name.size() < before.size() + 2 || !name.starts_with(before) || name[before.size()] != '-') {
    return {};
  }
  const auto digits = name.substr(before.size() + 1);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return {};
  return parse_int64(digits);
}

std::string claim_name(const Value& claim_template, const Value& set, int64_t ordinal) {
  return cat(object_name(claim_template), "-", object_name(set), "-", ordinal);
}

// The template's volumes, where a claim template of the same name takes a volume's place.
Value volumes_with_claims(const Value& set, const Value& volumes, int64_t ordinal) {
  std::vector<Value> all;
  const auto templates = set[keys::kSpec][keys::kVolumeClaimTemplates].items();
  for (const auto& claim : templates) {
    all.push_back(
        Value::map({{keys::kName, claim[keys::kMetadata][keys::kName]},
                    {keys::kPersistentVolumeClaim,
                     Value::map({{keys::kClaimName, claim_name(claim, set, ordinal)}})}}));
  }
  for (const auto& volume : volumes.items()) {
    const bool replaced = std::ranges::any_of(templates, [&](const Value& claim) {
      return claim[keys::kMetadata][keys::kName] == volume[keys::kName];
    });
    if (!replaced) all.push_back(volume);
  }
  return all.empty() ? volumes : Value::array(std::move(all));
}

bool is_reference_to(const Value& reference, const Value& object) {
  return reference[keys::kUid] == object[keys::kMetadata][keys::kUid];
}

}  // namespace

std::optional<int64_t> ordinal_of(const Value& set, const Value& pod) {
  return number_after(object_name(set), object_name(pod));
}

int64_t first_ordinal(const Value& set) {
  return set[keys::kSpec][keys::kOrdinals][keys::kStart].as_int();
}

bool is_wanted(const Value& set, int64_t ordinal) {
  const int64_t first = first_ordinal(set);
  return ordinal >= first && ordinal < first + set[keys::kSpec][keys::kReplicas].as_int(1);
}

Value with_identity_labels(const Value& labels, std::string_view pod_name, int64_t ordinal) {
  return labels.with(kPodName, pod_name).with(kPodIndex, cat(ordinal));
}

Value stateful_pod(const Value& set, const Value& pod_template, std::string_view revision,
                   int64_t ordinal) {
  const std::string name = cat(object_name(set), "-", ordinal);
  const Value& metadata = pod_template[keys::kMetadata];
  const Value& spec = pod_template[keys::kSpec];
  const Value& service = set[keys::kSpec][keys::kServiceName];
  return Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kName, name},
                    {keys::kGenerateName, cat(object_name(set), "-")},
                    {keys::kNamespace, set[keys::kMetadata][keys::kNamespace]},
                    {keys::kLabels, with_identity_labels(metadata[keys::kLabels], name, ordinal)
                                        .with(kRevisionLabel, revision)},
                    {keys::kAnnotations, metadata[keys::kAnnotations]},
                    {keys::kFinalizers, metadata[keys::kFinalizers]},
                    {keys::kOwnerReferences,
                     Value::array({controller_reference(set, "apps/v1", "StatefulSet")})}})},
       {keys::kSpec,
        spec.with(keys::kHostname, name)
            .with(keys::kSubdomain, service.as_string().empty() ? Value() : service)
            .with(keys::kVolumes, volumes_with_claims(set, spec[keys::kVolumes], ordinal))}});
}

std::vector<Value> claims_of(const Value& set, int64_t ordinal) {
  std::vector<Value> claims;
  for (const auto& claim : set[keys::kSpec][keys::kVolumeClaimTemplates].items()) {
    MapBuilder labels(claim[keys::kMetadata][keys::kLabels]);
    for (const auto& [key, value] :
         set[keys::kSpec][keys::kSelector][keys::kMatchLabels].entries()) {
      labels.set(key, value);
    }
    const Value metadata = claim[keys::kMetadata]
                               .with(keys::kName, claim_name(claim, set, ordinal))
                               .with(keys::kNamespace, set[keys::kMetadata][keys::kNamespace])
                               .with(keys::kLabels, std::move(labels).build());
    claims.push_back(Value::map({{keys::kMetadata, metadata}, {keys::kSpec, claim[keys::kSpec]}}));
  }
  return claims;
}

Value with_owners(const Value& claim, const Value& set, const Value& pod, bool pod_is_wanted) {
  std::vector<Value> owners;
  bool set_owns = false, pod_owns = false, foreign = false;
  for (const auto& reference : claim[keys::kMetadata][keys::kOwnerReferences].items()) {
    if (is_reference_to(reference, set)) {
      set_owns = true;
    } else if (is_reference_to(reference, pod)) {
      pod_owns = true;
    } else {
      foreign |= reference[keys::kController].as_bool();
      owners.push_back(reference);
    }
  }
  const Value& policy = set[keys::kSpec][keys::kPersistentVolumeClaimRetentionPolicy];
  const bool with_set = policy[keys::kWhenDeleted].as_string() == "Delete";
  const bool with_pod = policy[keys::kWhenScaled].as_string() == "Delete" && !pod_is_wanted;
  const bool pod_shall = with_pod && !foreign;
  const bool set_shall = with_set && !with_pod && !foreign;
  if (set_owns == set_shall && pod_owns == pod_shall) return claim;
  if (set_shall) owners.push_back(controller_reference(set, "apps/v1", "StatefulSet"));
  if (pod_shall) owners.push_back(controller_reference(pod, "v1", "Pod"));
  return claim.with_at({keys::kMetadata, keys::kOwnerReferences},
                       owners.empty() ? Value() : Value::array(std::move(owners)));
}

bool is_stale_claim(const Value& claim, std::string_view pod_name) {
  const auto owners = claim[keys::kMetadata][keys::kOwnerReferences].items();
  return std::ranges::any_of(owners, [&](const Value& owner) {
    return owner[keys::kKind].as_string() == "Pod" && owner[keys::kName].as_string() == pod_name;
  });
}

bool is_claim_name_of(const Value& set, std::string_view name) {
  const auto templates = set[keys::kSpec][keys::kVolumeClaimTemplates].items();
  return std::ranges::any_of(templates, [&](const Value& claim) {
    return number_after(cat(object_name(claim), "-", object_name(set)), name).has_value();
  });
}

}  // namespace minik::control
