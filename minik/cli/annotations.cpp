#include "minik/cli/annotations.h"

#include <cstdio>
#include <cstdlib>

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::cli {

namespace {

// The line of the expectation in its file; 1 for what the file does not name, as the invariants.
int64_t line_of(const sim::Scenario& scenario, const std::string& what) {
  for (const auto& expectation : scenario.expectations) {
    if (expectation.text() != what) continue;
    return parse_int64(expectation.place.substr(expectation.place.rfind(':') + 1)).value_or(1);
  }
  return 1;
}

// As GitHub's workflow commands want a message.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%') {
      out += "%25";
    } else if (c == '\n') {
      out += "%0A";
    } else if (c == '\r') {
      out += "%0D";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void add_annotations_option(Command command, std::string& format) {
  command.add_option("--annotations", format, "How failures are told to a CI service: auto, github, plain or none")
      .one_of({"auto", "github", "plain", "none"}).show_default();
}

void annotate(const std::string& format, const std::string& file, const sim::Scenario& scenario,
              const std::vector<sim::Finding>& failed, const std::string& reproduce) {
  const bool github = format == "github" || (format == "auto" && std::getenv("GITHUB_ACTIONS"));
  if (!github && format != "plain") return;
  for (const auto& finding : failed) {
    const std::string text = cat(finding.what, finding.detail.empty() ? "" : ": ", finding.detail);
    const int64_t line = line_of(scenario, finding.what);
    if (github) {
      std::printf("::error file=%s,line=%lld::%s\n", file.c_str(), static_cast<long long>(line),
                  escaped(cat(text, "\nreproduce: ", reproduce)).c_str());
    } else {
      std::printf("%s:%lld: error: %s (reproduce: %s)\n", file.c_str(), static_cast<long long>(line), text.c_str(), reproduce.c_str());
    }
  }
}

std::string code_quality(const std::string& file, const sim::Scenario& scenario, const std::vector<sim::Finding>& failed) {
  using control::Value;
  std::vector<Value> issues;
  for (const auto& finding : failed) {
    const Value lines = Value::map({{"begin", line_of(scenario, finding.what)}});
    issues.push_back(Value::map({
        {"description", cat(finding.what, finding.detail.empty() ? "" : ": ", finding.detail)},
        {"check_name", "minik-sim"},
        // The same problem has the same fingerprint in every run.
        {"fingerprint", cat("minik-sim-", fnv1a_64(cat(scenario.name, "\n", finding.what)))},
        {"severity", "major"},
        {"location", Value::map({{"path", file}, {"lines", lines}})}}));
  }
  return control::to_pretty_json(Value::array(std::move(issues)));
}

}  // namespace minik::cli
