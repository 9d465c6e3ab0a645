#include "sim/results.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::sim {

using control::Value;

namespace {

std::string xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      // XML 1.0 has no other control characters, not even escaped.
      default: escaped += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return escaped;
}

std::string test_case(std::string_view suite, std::string_view name, const std::string& failure) {
  const std::string head = cat("  <testcase classname=\"", xml(suite), "\" name=\"", xml(name), "\"");
  if (failure.empty()) return head + "/>\n";
  return cat(head, ">\n    <failure message=\"", xml(failure), "\"/>\n  </testcase>\n");
}

std::string suite_of(std::string_view name, size_t tests, size_t failed, const std::string& cases) {
  return cat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"", xml(name), "\" tests=\"", tests,
             "\" failures=\"", failed, "\">\n", cases, "</testsuite>\n");
}

std::string sentence_of(const Finding& finding) {
  return cat(finding.what, finding.detail.empty() ? "" : ": ", finding.detail,
             finding.at.ns > 0 ? cat(" (at ", format_duration(finding.at), ")") : std::string());
}

std::string sentences_of(const SeedResult& result) {
  std::vector<std::string> sentences;
  for (const auto& finding : result.failed) sentences.push_back(sentence_of(finding));
  return join(sentences, "\n");
}

}  // namespace

SeedResult result_of(uint64_t seed, const RunOutcome& outcome) {
  SeedResult result{seed, {}, outcome.trace_hash, outcome.writes, outcome.virtual_time, ""};
  std::ranges::copy_if(outcome.findings, std::back_inserter(result.failed),
                       [](const Finding& finding) { return !finding.held; });
  return result;
}

SeedResult broken_result(uint64_t seed, std::string why) {
  return {seed, {{"the run ends", false, {}, std::move(why)}}, "", 0, {}, ""};
}

std::string write_result(const SeedResult& result) {
  std::vector<Value> failed;
  for (const auto& finding : result.failed) {
    failed.push_back(Value::map({{"what", finding.what}, {"atNs", finding.at.ns}, {"detail", finding.detail}}));
  }
  // Seeds are 64 bits and JSON's numbers are not: text keeps them whole.
  return control::to_json(Value::map({{"seed", cat(result.seed)},
                                      {"trace", result.trace_hash},
                                      {"writes", static_cast<int64_t>(result.writes)},
                                      {"virtualNs", result.virtual_time.ns},
                                      {"scenario", result.scenario.empty() ? Value() : Value(result.scenario)},
                                      {"failed", Value::array(std::move(failed))}}));
}

Result<SeedResult> read_result(std::string_view line) {
  MINIK_ASSIGN(const auto value, control::parse_json(line));
  const auto seed = parse_uint64(value["seed"].as_string());
  if (!seed || !value["failed"].is_array()) {
    return Error(ErrorCode::kInvalid, "this is no result of a sweep: a line needs \"seed\" and \"failed\"");
  }
  SeedResult result;
  result.seed = *seed;
  result.trace_hash = value["trace"].string();
  result.scenario = value["scenario"].string();
  result.writes = static_cast<uint64_t>(std::max<int64_t>(0, value["writes"].as_int()));
  result.virtual_time = Duration{value["virtualNs"].as_int()};
  for (const auto& finding : value["failed"].items()) {
    result.failed.push_back(
        {finding["what"].string(), false, Duration{finding["atNs"].as_int()}, finding["detail"].string()});
  }
  return result;
}

std::vector<Failure> failures_of(const std::vector<SeedResult>& results) {
  std::map<std::string, Failure> by_what;
  for (const auto& result : results) {
    for (const auto& finding : result.failed) {
      auto& failure = by_what[finding.what];
      if (failure.times++ > 0 && failure.first_seed < result.seed) continue;
      failure.what = finding.what;
      failure.first_seed = result.seed;
      failure.detail = finding.detail;
    }
  }
  std::vector<Failure> failures;
  for (auto& [what, failure] : by_what) failures.push_back(std::move(failure));
  std::ranges::stable_sort(failures, std::greater{}, &Failure::times);
  return failures;
}

std::string junit_of_run(const std::string& scenario, const std::string& file, uint64_t seed, const RunOutcome& outcome) {
  std::string cases;
  size_t failed = 0;
  for (const auto& finding : outcome.findings) {
    failed += finding.held ? 0 : 1;
    cases += test_case(scenario, finding.what,
                       finding.held ? "" : cat(sentence_of(finding), "\nreproduce: minik sim run ", file, " --seed ", seed));
  }
  return suite_of(cat(scenario, " seed ", seed), outcome.findings.size(), failed, cases);
}

std::string junit_of_sweep(const std::string& scenario, const std::string& file, const std::vector<SeedResult>& results) {
  std::string cases;
  size_t failed = 0;
  for (const auto& result : results) {
    failed += result.passed() ? 0 : 1;
    cases += test_case(scenario, cat("seed ", result.seed),
                       result.passed() ? ""
                                       : cat(sentences_of(result), "\nreproduce: minik sim run ", file, " --seed ", result.seed));
  }
  return suite_of(scenario, results.size(), failed, cases);
}

}  // namespace minik::sim
