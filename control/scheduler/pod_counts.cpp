#include "control/scheduler/pod_counts.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

constexpr size_t kMembershipsMax = 4096;

// The selector with what matchLabelKeys and mismatchLabelKeys take from the pod's own labels.
Value with_label_keys(const Value& term, const Value& labels) {
  Value selector = term[keys::kLabelSelector];
  if (!selector.has_value()) return selector;
  std::vector<Value> expressions(selector[keys::kMatchExpressions].items().begin(),
                                 selector[keys::kMatchExpressions].items().end());
  const size_t before = expressions.size();
  const auto add = [&](const Value& names, std::string_view op) {
    for (const auto& name : names.items()) {
      const Value& own = labels.get(name.as_string());
      if (!own.is_string()) continue;
      expressions.push_back(Value::map(
          {{keys::kKey, name}, {keys::kOperator, op}, {keys::kValues, Value::array({own})}}));
    }
  };
  add(term[keys::kMatchLabelKeys], "In");
  add(term[keys::kMismatchLabelKeys], "NotIn");
  if (expressions.size() == before) return selector;
  return selector.with(keys::kMatchExpressions, Value::array(std::move(expressions)));
}

LabelSelector compiled(const Value& selector) {
  auto result = LabelSelector::from_object(selector);
  return result ? *std::move(result) : LabelSelector::nothing();
}

std::string selector_text(const LabelSelector& selector) {
  return selector.selects_nothing() ? "!" : selector.text();
}

}  // namespace

PodMatcher affinity_matcher(const Value& term, std::string_view namespace_, const Value& labels) {
  PodMatcher matcher;
  for (const auto& name : term[keys::kNamespaces].items())
    matcher.namespaces.push_back(name.string());
  const Value& by_labels = term[keys::kNamespaceSelector];
  if (by_labels.has_value()) matcher.namespace_selector = compiled(by_labels);
  if (matcher.namespaces.empty() && !by_labels.has_value()) {
    matcher.namespaces.emplace_back(namespace_);
  }
  std::ranges::sort(matcher.namespaces);
  matcher.pods = compiled(with_label_keys(term, labels));
  matcher.text = cat(join(matcher.namespaces, ","), "|",
                     matcher.namespace_selector ? selector_text(*matcher.namespace_selector) : "-",
                     "|", selector_text(matcher.pods));
  return matcher;
}

PodMatcher spread_matcher(const Value& constraint, std::string_view namespace_,
                          const Value& labels) {
  PodMatcher matcher;
  matcher.namespaces = {std::string(namespace_)};
  matcher.pods = compiled(with_label_keys(constraint, labels));
  matcher.staying_only = true;
  matcher.text = cat("spread|", namespace_, "|", selector_text(matcher.pods));
  return matcher;
}

void PodCount::add(int node, int64_t by) {
  total_ += by;
  const auto [at, fresh] = by_node_.try_emplace(node, 0);
  at->second += by;
  if (at->second == 0) by_node_.erase(at);
}

bool PodCounts::matches(const PodMatcher& matcher, std::string_view namespace_,
                        const Value& labels) const {
  bool home = std::ranges::binary_search(matcher.namespaces, namespace_);
  if (!home && matcher.namespace_selector) {
    const auto found = namespace_labels_.find(namespace_);
    const Value& about = found == namespace_labels_.end() ? Value::absent() : found->second;
    home = matcher.namespace_selector->matches(about);
  }
  return home && matcher.pods.matches(labels);
}

std::shared_ptr<const PodCount> PodCounts::matching(std::vector<PodMatcher> matchers) {
  std::string name;
  for (const auto& matcher : matchers) name += cat(matcher.text, "&");
  auto& selected = selected_[name];
  if (auto count = selected.count.lock()) return count;
  memberships_.clear();
  std::erase_if(selected_,
                [&](const auto& e) { return e.first != name && e.second.count.expired(); });
  auto count = std::make_shared<PodCount>();
  selected.matchers = std::move(matchers);
  selected.count = count;
  all_pods_([&](const Value& pod, int node) {
    const bool all = std::ranges::all_of(selected.matchers, [&](const PodMatcher& m) {
      return !(m.staying_only && is_deleting(pod)) &&
             matches(m, object_namespace(pod), pod[keys::kMetadata][keys::kLabels]);
    });
    if (all) count->add(node, 1);
  });
  return count;
}

std::shared_ptr<const PodCount> PodCounts::owned_by(const Value& owner_uid) {
  return owned_.try_emplace(owner_uid.string()).first->second.staying;
}

bool PodCounts::counts(const PodCount& count, const Value& pod) {
  const Membership& member = membership(pod);
  const auto is_it = [&](const auto& c) { return c.get() == &count; };
  if (std::ranges::any_of(member.counts, is_it)) return true;
  if (is_deleting(pod)) return false;
  return (member.owned && is_it(member.owned->staying)) || std::ranges::any_of(member.spreading, is_it);
}

std::vector<std::shared_ptr<const CarriedTerm>> PodCounts::carried_about(
    std::string_view namespace_, const Value& labels) const {
  std::vector<std::shared_ptr<const CarriedTerm>> about;
  for (const auto& [name, term] : carried_) {
    if (matches(term->matcher, namespace_, labels)) about.push_back(term);
  }
  return about;
}

std::shared_ptr<PodCount> PodCounts::carry(CarriedTerm::Kind kind, const Value& term, int64_t weight,
                                           const Membership& member) {
  PodMatcher matcher = affinity_matcher(term, member.namespace_.as_string(), member.labels);
  const auto topology_key = term[keys::kTopologyKey].as_string();
  auto& carried = carried_[cat(static_cast<int>(kind), "|", weight, "|", topology_key, "|", matcher.text)];
  if (!carried) {
    carried = std::make_shared<CarriedTerm>(
        CarriedTerm{kind, Key(topology_key), std::move(matcher), weight, {}});
    ++version_;
  }
  return {carried, &carried->carriers};
}

void PodCounts::collect_carried(Membership& member) {
  if (!member.affinity.has_value()) return;
  const Value& near = member.affinity[keys::kPodAffinity];
  const Value& apart = member.affinity[keys::kPodAntiAffinity];
  for (const auto& term : apart[keys::kRequiredDuringSchedulingIgnoredDuringExecution].items()) {
    member.counts.push_back(carry(CarriedTerm::Kind::kApart, term, 0, member));
  }
  for (const auto& term : near[keys::kRequiredDuringSchedulingIgnoredDuringExecution].items()) {
    member.counts.push_back(carry(CarriedTerm::Kind::kNear, term, 0, member));
  }
  for (const auto& [terms, sign] : {std::pair{&near, 1}, std::pair{&apart, -1}}) {
    const Value& preferred = (*terms)[keys::kPreferredDuringSchedulingIgnoredDuringExecution];
    for (const auto& entry : preferred.items()) {
      const int64_t weight = sign * entry[keys::kWeight].as_int();
      if (weight == 0) continue;
      member.counts.push_back(
          carry(CarriedTerm::Kind::kPreferred, entry[keys::kPodAffinityTerm], weight, member));
    }
  }
}

void PodCounts::forget_memberships() {
  memberships_.clear();
  if (std::erase_if(carried_, [](const auto& e) { return e.second->carriers.total() == 0; }) > 0) {
    ++version_;
  }
}

const PodCounts::Membership& PodCounts::membership(const Value& pod) {
  const Value& metadata = pod[keys::kMetadata];
  const Value& labels = metadata[keys::kLabels];
  const Value& affinity = pod[keys::kSpec][keys::kAffinity];
  const Value& owner = controller_of(pod)[keys::kUid];
  const Value& namespace_ = metadata[keys::kNamespace];
  const uint64_t hash =
      ((labels.hash() * 31 + affinity.hash()) * 31 + owner.hash()) * 31 + namespace_.hash();
  const auto found = memberships_.find(hash);
  if (found != memberships_.end() && found->second.labels == labels &&
      found->second.affinity == affinity && found->second.owner == owner &&
      found->second.namespace_ == namespace_) {
    return found->second;
  }
  if (memberships_.size() >= kMembershipsMax) forget_memberships();
  Membership member{namespace_, labels, affinity, owner, {}, {}, nullptr};
  for (const auto& [name, selected] : selected_) {
    auto count = selected.count.lock();
    const bool all = count && std::ranges::all_of(selected.matchers, [&](const PodMatcher& m) {
                       return matches(m, namespace_.as_string(), labels);
                     });
    if (!all) continue;
    const bool staying_only = selected.matchers.front().staying_only;
    (staying_only ? member.spreading : member.counts).push_back(std::move(count));
  }
  if (owner.has_value()) member.owned = &owned_[owner.string()];
  collect_carried(member);
  return memberships_[hash] = std::move(member);
}

void PodCounts::add(const Membership& member, const Value& pod, int node, int sign) {
  for (const auto& count : member.counts) count->add(node, sign);
  if (member.owned) member.owned->pods += sign;
  if (is_deleting(pod)) return;
  for (const auto& count : member.spreading) count->add(node, sign);
  if (member.owned) member.owned->staying->add(node, sign);
}

void PodCounts::change(const Value& pod, int node, int sign) {
  const Membership& member = membership(pod);
  add(member, pod, node, sign);
  if (!member.owned || member.owned->pods > 0) return;
  const auto owned = owned_.find(member.owner.as_string());
  if (owned->second.staying.use_count() > 1) return;  // a class waits to place more
  owned_.erase(owned);
  memberships_.clear();
}

bool PodCounts::begin_deletion(const Value& pod, int node) {
  const Membership& member = membership(pod);
  for (const auto& count : member.spreading) count->add(node, -1);
  if (!member.owned) return !member.spreading.empty();
  member.owned->staying->add(node, -1);
  return !member.spreading.empty() || member.owned->staying.use_count() > 1;
}

bool PodCounts::selects_by_namespace() const {
  const auto by_namespace = [](const PodMatcher& m) { return m.namespace_selector.has_value(); };
  return std::ranges::any_of(carried_,
                             [&](const auto& e) { return by_namespace(e.second->matcher); }) ||
         std::ranges::any_of(selected_, [&](const auto& e) {
           return std::ranges::any_of(e.second.matchers, by_namespace);
         });
}

bool PodCounts::put_namespace(const Value& object) {
  const Value& labels = object[keys::kMetadata][keys::kLabels];
  auto& known = namespace_labels_[std::string(object_name(object))];
  if (known == labels) return false;
  known = labels;
  if (!selects_by_namespace()) return false;
  recount();
  return true;
}

void PodCounts::recount() {
  memberships_.clear();
  ++version_;
  for (auto& [name, selected] : selected_) {
    if (const auto count = selected.count.lock()) *count = {};
  }
  for (auto& [uid, owned] : owned_) {
    *owned.staying = {};
    owned.pods = 0;
  }
  for (auto& [name, term] : carried_) term->carriers = {};
  all_pods_([this](const Value& pod, int node) {
    add(membership(pod), pod, node, 1);
  });
}

}  // namespace minik::control
