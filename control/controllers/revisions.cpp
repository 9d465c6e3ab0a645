#include "control/controllers/revisions.h"

#include <algorithm>
#include <tuple>

#include "control/base/text.h"
#include "control/controllers/deployment.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kPatchDirective = "$patch";

int64_t number_of(const Value& revision) {
  return revision[keys::kRevision].as_int();
}

Value data_of(const Value& pod_template) {
  return Value::map({{keys::kSpec, Value::map({{keys::kTemplate,
                                                pod_template.with(kPatchDirective, "replace")}})}});
}

Value new_revision(const Claimant& claimant, std::string_view hash_label, const std::string& hash,
                   int64_t number) {
  const Value& owner = claimant.owner;
  const Value& pod_template = owner[keys::kSpec][keys::kTemplate];
  const Value labels = pod_template[keys::kMetadata][keys::kLabels].with(hash_label, hash);
  return Value::map({{keys::kMetadata,
                      Value::map({{keys::kName, cat(object_name(owner), "-", hash)},
                                  {keys::kNamespace, owner[keys::kMetadata][keys::kNamespace]},
                                  {keys::kLabels, labels},
                                  {keys::kAnnotations, owner[keys::kMetadata][keys::kAnnotations]},
                                  {keys::kOwnerReferences,
                                   Value::array({controller_reference(owner, claimant.api_version,
                                                                      claimant.kind_name)})}})},
                     {keys::kData, data_of(pod_template)},
                     {keys::kRevision, number}});
}

}  // namespace

Value template_of_revision(const Value& revision) {
  return revision[keys::kData][keys::kSpec][keys::kTemplate].without(kPatchDirective);
}

std::string_view revision_label_of(const Value& pod) {
  return pod[keys::kMetadata][keys::kLabels].get(kRevisionLabel).as_string();
}

const Value& RevisionHistory::find(std::string_view name) const {
  if (object_name(latest) == name) return latest;
  const auto found =
      std::ranges::find_if(others, [&](const Value& r) { return object_name(r) == name; });
  return found == others.end() ? Value::absent() : *found;
}

RevisionHistory plan_history(Plan& plan, const Snapshot& snapshot, const Claimant& claimant,
                             std::string_view hash_label) {
  const Value& owner = claimant.owner;
  auto owned = snapshot.owned_by(kinds::kControllerrevisions, object_uid(owner));
  plan_claims(
      plan, snapshot, kinds::kControllerrevisions, claimant,
      [](const Value& revision) { return !is_deleting(revision); }, owned);
  std::ranges::sort(owned, {}, [](const Value& r) {
    return std::make_tuple(number_of(r), r[keys::kMetadata][keys::kCreationTimestamp].string(),
                           std::string(object_name(r)));
  });
  RevisionHistory history;
  history.collision_count = owner[keys::kStatus][keys::kCollisionCount].as_int();
  const Value& pod_template = owner[keys::kSpec][keys::kTemplate];
  for (auto& revision : owned) {
    if (!(template_of_revision(revision) == pod_template)) {
      history.others.push_back(revision);
      continue;
    }
    if (history.latest.has_value()) history.twins.push_back(std::move(history.latest));
    history.latest = revision;
  }
  const int64_t highest = history.others.empty() ? 0 : number_of(history.others.back());
  if (!history.latest.has_value()) {
    // Somebody else's revision may have the name that the hash gives: count on to a free one.
    std::string hash = pod_template_hash(pod_template, history.collision_count);
    while (snapshot
               .find(kinds::kControllerrevisions, object_namespace(owner),
                     cat(object_name(owner), "-", hash))
               .has_value()) {
      hash = pod_template_hash(pod_template, ++history.collision_count);
    }
    history.latest = new_revision(claimant, hash_label, hash, highest + 1);
    plan.create(kinds::kControllerrevisions, history.latest);
  } else if (number_of(history.latest) <= highest) {
    history.latest = history.latest.with(keys::kRevision, highest + 1);
    plan.update(kinds::kControllerrevisions, history.latest);
  }
  return history;
}

void plan_history_limit(Plan& plan, const RevisionHistory& history, int64_t surplus,
                        const std::function<bool(const Value& revision)>& is_live) {
  for (const auto& revision : history.others) {
    if (surplus <= 0) return;
    if (is_live(revision) || is_deleting(revision)) continue;
    plan.remove(kinds::kControllerrevisions, revision);
    --surplus;
  }
}

}  // namespace minik::control
