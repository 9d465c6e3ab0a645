#include "sim/sweep_job.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/object/yaml.h"

namespace minik::sim {

using control::Value;

namespace {

// etcd takes no object of more, and kubectl none of more than it takes.
constexpr size_t kScenarioBytesMax = 900 << 10;

}  // namespace

Result<std::string> job_manifest(const SweepJob& job) {
  if (job.scenario.size() > kScenarioBytesMax) {
    return Error(ErrorCode::kBadRequest, cat("the scenario has ", job.scenario.size(), " bytes; a ConfigMap takes ", kScenarioBytesMax,
                                             ": put its manifests elsewhere or mount it another way"));
  }
  const Value metadata = Value::map({{"name", job.name}, {"labels", Value::map({{"app.kubernetes.io/name", "minik-sweep"}})}});
  const Value config = Value::map({{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", metadata},
                                   {"data", Value::map({{"scenario.yaml", job.scenario}})}});
  std::vector<Value> args{"sim", "sweep"};
  if (job.swarm) {
    args.emplace_back("--swarm");
  } else {
    args.emplace_back("/scenario/scenario.yaml");
  }
  for (const auto& word : {std::string("--seeds"), job.seeds, std::string("--shard"), cat("$(INDEX)/", job.pods), std::string("--jobs"),
                           std::string("1"), std::string("--results"), std::string("-"), std::string("--exit-zero")}) {
    args.emplace_back(word);
  }
  const Value index = Value::map({{"fieldRef", Value::map({{"fieldPath", "metadata.annotations['batch.kubernetes.io/job-completion-index']"}})}});
  const Value container = Value::map({
      {"name", "sweep"},
      {"image", job.image},
      {"args", Value::array(std::move(args))},
      {"env", Value::array({Value::map({{"name", "INDEX"}, {"valueFrom", index}})})},
      {"resources", Value::map({{"requests", Value::map({{"cpu", "1"}, {"memory", "512Mi"}})}})},
      {"volumeMounts", Value::array({Value::map({{"name", "scenario"}, {"mountPath", "/scenario"}, {"readOnly", true}})})},
  });
  const Value volume = Value::map({{"name", "scenario"}, {"configMap", Value::map({{"name", job.name}})}});
  const Value pod = Value::map({{"restartPolicy", "Never"},
                                {"containers", Value::array({container})},
                                {"volumes", Value::array({volume})}});
  const Value spec = Value::map({{"completionMode", "Indexed"},
                                 {"completions", static_cast<int64_t>(job.pods)},
                                 {"parallelism", static_cast<int64_t>(job.parallelism)},
                                 {"backoffLimitPerIndex", 3},
                                 {"template", Value::map({{"metadata", metadata.without("name")}, {"spec", pod}})}});
  const Value document = Value::map({{"apiVersion", "batch/v1"}, {"kind", "Job"}, {"metadata", metadata}, {"spec", spec}});
  return cat(control::to_yaml(config), "---\n", control::to_yaml(document));
}

std::optional<SeedRange> shard_of(SeedRange range, uint64_t index, uint64_t count) {
  // How many seeds there are less one: all 64 bits of them do not fit.
  const uint64_t more = range.last - range.first;
  const uint64_t each = more / count, longer = more % count + 1;  // `longer` shards have each + 1
  const uint64_t size = each + (index < longer ? 1 : 0);
  if (size == 0) return {};
  const uint64_t first = range.first + index * each + std::min(index, longer);
  return SeedRange{first, first + size - 1};
}

Merged merge_results(std::string_view logs, std::string scenario, SeedRange seeds) {
  Merged merged;
  std::map<uint64_t, SeedResult> by_seed;
  for (const auto line : split(logs, '\n')) {
    const size_t begin = line.find('{');
    auto result = begin == std::string_view::npos ? Result<SeedResult>(Error(ErrorCode::kInvalid, "")) : read_result(line.substr(begin));
    if (!result) {
      merged.ignored_lines += trim(line).empty() ? 0 : 1;
      continue;
    }
    const uint64_t seed = result->seed;
    if (scenario.empty()) scenario = result->scenario;
    if (result->scenario.empty() || result->scenario != scenario) {
      merged.foreign.push_back(seed);
      continue;
    }
    if (seed < seeds.first || seed > seeds.last) {
      merged.unasked.push_back(seed);
      continue;
    }
    const auto found = by_seed.find(seed);
    if (found == by_seed.end()) {
      by_seed.emplace(seed, *std::move(result));
    } else if (write_result(found->second) != write_result(*result)) {
      // A run that was cut short says nothing against one that came to its end.
      if (found->second.trace_hash.empty()) {
        found->second = *std::move(result);
      } else if (!result->trace_hash.empty()) {
        merged.disagreeing.push_back(seed);
      }
    }
  }
  for (auto& [seed, result] : by_seed) merged.results.push_back(std::move(result));
  for (auto* const list : {&merged.disagreeing, &merged.foreign, &merged.unasked}) {
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  return merged;
}

std::vector<uint64_t> missing_seeds(const std::vector<SeedResult>& results, SeedRange seeds, size_t limit) {
  std::vector<uint64_t> missing;
  auto next = results.begin();
  for (uint64_t seed = seeds.first; missing.size() < limit; ++seed) {
    if (next != results.end() && next->seed == seed) {
      ++next;
    } else {
      missing.push_back(seed);
    }
    if (seed == seeds.last) break;
  }
  return missing;
}

std::string seeds_text(const std::vector<uint64_t>& seeds) {
  constexpr size_t kPartsMax = 10;
  std::vector<std::string> parts;
  for (size_t i = 0; i < seeds.size();) {
    size_t end = i + 1;
    while (end < seeds.size() && seeds[end] == seeds[end - 1] + 1) ++end;
    if (parts.size() == kPartsMax) return cat(join(parts, ", "), " and ", seeds.size() - i, " more");
    parts.push_back(end == i + 1 ? cat(seeds[i]) : cat(seeds[i], "..", seeds[end - 1]));
    i = end;
  }
  return join(parts, ", ");
}

}  // namespace minik::sim
