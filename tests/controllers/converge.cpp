#include "tests/controllers/converge.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::ApiRequest;
using control::Key;
using control::MapEntry;
using control::Value;
using control::Verb;

namespace {

constexpr Duration kLook = seconds(5);

bool is_noise(control::KindId kind) {
  return kind == kinds::kEvents || kind == kinds::kLeases || kind == kinds::kNodes;
}

// What differs between two runs that a user would call the same.
bool is_of_chance(const Key& key) {
  static const std::vector<Key> kLeftOut{
      keys::kUid,      keys::kResourceVersion, keys::kGeneration, keys::kObservedGeneration, keys::kGenerateName,
      keys::kNodeName, keys::kRestartCount,    keys::kLastState,  keys::kHostIP,             keys::kHostIPs,
      keys::kPodIP,    keys::kPodIPs,          keys::kAddresses,  keys::kContainerID,        keys::kManagedFields};
  return std::ranges::find(kLeftOut, key) != kLeftOut.end();
}

using Names = std::map<std::string, std::string, std::less<>>;

// The names and uids that were drawn, and what to say instead.
Names drawn_names(const control::Store& store) {
  Names names;
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (is_noise(resource.id)) continue;
    store.for_each(resource.id, [&](const Value& object) {
      names[object[keys::kMetadata][keys::kUid].string()] = "uid";
      const std::string base = object[keys::kMetadata][keys::kGenerateName].string();
      if (!base.empty()) names[object[keys::kMetadata][keys::kName].string()] = base + "*";
    });
  }
  return names;
}

// Conditions are a map by their types: which came first is of chance too.
Value by_type(const Value& conditions) {
  if (!conditions.is_array()) return conditions;
  std::vector<Value> sorted(conditions.items().begin(), conditions.items().end());
  std::ranges::stable_sort(sorted, {}, [](const Value& condition) { return condition[keys::kType].string(); });
  return Value::array(std::move(sorted));
}

// The same tree without it; times are left out wherever they stand.
Value plain(const Value& value, const Names& names) {
  if (value.is_map()) {
    std::vector<MapEntry> entries;
    for (const auto& [key, item] : value.entries()) {
      if (is_of_chance(key)) continue;
      if (item.is_string() && parse_time(item.as_string())) continue;
      const Value same = plain(item, names);
      entries.push_back({key, key == keys::kConditions ? by_type(same) : same});
    }
    return Value::map(std::move(entries));
  }
  if (value.is_string()) {
    const auto found = names.find(value.as_string());
    return found == names.end() ? value : Value(found->second);
  }
  if (!value.is_array()) return value;
  std::vector<Value> items;
  for (const auto& item : value.items()) items.push_back(plain(item, names));
  return Value::array(std::move(items));
}

// The newest revision of anything that is not noise.
uint64_t newest(const control::Store& store) {
  uint64_t revision = 0;
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (is_noise(resource.id)) continue;
    store.for_each(resource.id, [&](const Value& object) {
      revision = std::max(revision, control::object_revision(object).value);
    });
  }
  return revision;
}

// One telling of the story.
class Telling {
 public:
  Telling(const ConvergenceCase& story, uint64_t seed) : story_(story) {
    ClusterOptions options;
    options.seed = seed;
    options.images = story.images;
    NodePool pool;
    pool.count = story.nodes;
    options.pools = {pool};
    cluster_ = std::make_unique<SimulatedCluster>(options, nullptr);
    cluster_->start();
    advance(seconds(10));
    begin_ = cluster_->executor().now();
    for (const auto& change : story.changes) {
      at(change.at, [this, &change] { send(change.request); });
    }
    for (const auto& [when, event] : story.events) {
      at(when, [this, happens = &event] { (*happens)(*cluster_); });
    }
  }

  SimulatedCluster& cluster() { return *cluster_; }
  void advance(Duration duration) { cluster_->executor().run_until(cluster_->executor().now() + duration); }

  std::string state() const {
    return story_.state ? story_.state(cluster_->store()) : settled_state(cluster_->store());
  }

  // Runs until nothing has changed for `quiet`, after the last of the story.
  std::string settle() {
    Duration last;
    for (const auto& change : story_.changes) last = std::max(last, change.at);
    for (const auto& event : story_.events) last = std::max(last, event.first);
    advance(last + kLook);
    uint64_t revision = newest(cluster_->store());
    Duration still;
    for (Duration waited; still < story_.quiet && waited < story_.patience; waited = waited + kLook) {
      advance(kLook);
      const uint64_t now = newest(cluster_->store());
      still = now == revision ? still + kLook : Duration{};
      revision = now;
    }
    EXPECT_GE(still, story_.quiet) << "the run without trouble does not come to rest";
    return state();
  }

 private:
  void at(Duration when, std::function<void()> act) { cluster_->executor().after(when, std::move(act)); }

  void send(const ApiRequest& request) {
    cluster_->request(request, [request](const Result<control::ApiResponse>& result) {
      ASSERT_TRUE(result) << control::verb_name(request.verb) << " " << request.name << ": " << result.error().message;
    });
  }

  const ConvergenceCase& story_;
  std::unique_ptr<SimulatedCluster> cluster_;
  Instant begin_;
};

ComponentFaults trouble() {
  ComponentFaults faults;
  faults.link.lose_request = 20'000;
  faults.link.lose_answer = 20'000;
  faults.link.delay_answer = 20'000;
  faults.link.hold_watch = 20'000;
  faults.link.end_watch = 5'000;
  faults.crash_at_write = 100'000;
  return faults;
}

// So much of a line as shows where it differs.
std::string around(const std::string& line, size_t at) {
  constexpr size_t kBefore = 100, kLength = 400;
  if (line.size() <= kLength) return line;
  const size_t head = line.find('{');
  return cat(line.substr(0, head), "... ", line.substr(at < kBefore ? 0 : at - kBefore, kLength));
}

std::string first_difference(const std::string& wanted, const std::string& have) {
  std::istringstream a(wanted), b(have);
  std::string line_a, line_b;
  while (true) {
    const bool more_a = static_cast<bool>(std::getline(a, line_a));
    const bool more_b = static_cast<bool>(std::getline(b, line_b));
    if (!more_a && !more_b) return "none";
    if (!more_a || !more_b || line_a != line_b) {
      const auto differs = std::ranges::mismatch(line_a, line_b).in1 - line_a.begin();
      const auto show = [&](bool more, const std::string& line) {
        return more ? around(line, static_cast<size_t>(differs)) : "(nothing)";
      };
      return cat("\n  without trouble: ", show(more_a, line_a), "\n  with trouble:    ", show(more_b, line_b));
    }
  }
}

// Empty: it converged.
std::string tell_with_trouble(const ConvergenceCase& story, uint64_t seed, const std::string& wanted) {
  Telling telling(story, seed);
  telling.cluster().set_controller_faults(trouble());
  telling.advance(story.trouble);
  telling.cluster().set_controller_faults({});
  for (Duration waited; waited < story.patience; waited = waited + kLook) {
    if (telling.state() == wanted) {
      telling.advance(story.quiet);
      const std::string later = telling.state();
      return later == wanted ? "" : "the state was reached and left again: " + first_difference(wanted, later);
    }
    telling.advance(kLook);
  }
  return cat("after ", telling.cluster().controller_crashes(), " crashes: ", first_difference(wanted, telling.state()));
}

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

const control::ResourceInfo& resource_of(std::string_view plural) {
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (resource.plural == plural) return resource;
  }
  CHECK(false) << "no kind " << plural;
  std::abort();
}

}  // namespace

std::vector<Change> apply_at(Duration at, std::string_view yaml) {
  std::vector<Change> changes;
  const auto documents = control::parse_yaml(yaml);
  CHECK(documents.ok()) << documents.error().message;
  for (const auto& document : *documents) {
    const auto* resource = control::Schema::builtin().find_kind(document.value[keys::kApiVersion].as_string(),
                                                                 document.value[keys::kKind].as_string());
    CHECK(resource != nullptr) << "no such kind: " << document.value[keys::kKind].as_string();
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = resource->id;
    if (resource->namespaced) request.namespace_ = document.value[keys::kMetadata][keys::kNamespace].as_string("default");
    request.body = document.value;
    changes.push_back({at, std::move(request)});
  }
  return changes;
}

Change merge_patch_at(Duration at, std::string_view kind, std::string name, std::string_view patch, std::string namespace_) {
  ApiRequest request;
  request.verb = Verb::kPatch;
  request.patch_type = control::PatchType::kMerge;
  request.kind = resource_of(kind).id;
  request.namespace_ = std::move(namespace_);
  request.name = std::move(name);
  const auto body = control::parse_json(patch);
  CHECK(body.ok()) << body.error().message;
  request.body = *body;
  return {at, std::move(request)};
}

Change delete_at(Duration at, std::string_view kind, std::string name, std::string namespace_) {
  ApiRequest request;
  request.verb = Verb::kDelete;
  request.kind = resource_of(kind).id;
  request.namespace_ = std::move(namespace_);
  request.name = std::move(name);
  return {at, std::move(request)};
}

std::string settled_state(const control::Store& store) {
  const Names names = drawn_names(store);
  std::vector<std::string> lines;
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (is_noise(resource.id)) continue;
    store.for_each(resource.id, [&](const Value& object) {
      const Value rest = plain(object, names);
      lines.push_back(cat(resource.plural, " ", rest[keys::kMetadata][keys::kName].string(), " ", control::to_json(rest)));
    });
  }
  std::ranges::sort(lines);
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

void expect_convergence(const ConvergenceCase& story) {
  const std::string wanted = Telling(story, 0).settle();
  if (::testing::Test::HasFailure()) return;
  if (std::getenv("MINIK_SHOW_STATE")) std::printf("%s\n", wanted.c_str());
  const uint64_t first = number_from("MINIK_FIRST_SEED", 0);
  const uint64_t seeds = number_from("MINIK_SEEDS", 100);
  int failed = 0;
  for (uint64_t seed = first; seed < first + seeds && failed < 3; ++seed) {
    const std::string trouble = tell_with_trouble(story, seed, wanted);
    if (trouble.empty()) continue;
    ++failed;
    ADD_FAILURE() << "seed " << seed << " does not converge: " << trouble;
  }
}

}  // namespace minik::sim
