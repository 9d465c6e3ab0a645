#include <cstdio>
#include <map>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/yaml.h"
#include "minik/cli/command.h"
#include "minik/cli/simulation.h"
#include "runtime/container/files.h"
#include "sim/cluster.h"
#include "sim/inline_files.h"
#include "sim/scenario_schema.h"
#include "sim/shrink_target.h"

namespace minik::cli {

namespace {

Result<WholeScenario> read_whole_scenario(const std::string& path) {
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(path == "-" ? "/dev/stdin" : path));
  // Manifests stand beside the scenario that names them.
  const std::string folder = path.find('/') == std::string::npos ? "" : path.substr(0, path.rfind('/') + 1);
  std::map<std::string, std::string> read;
  const sim::ScenarioFiles files{[&](const std::string& name) -> Result<std::string> {
    if (name == "-" && path == "-") return Error(ErrorCode::kBadRequest, "standard input is the scenario itself");
    if (const auto found = read.find(name); found != read.end()) return found->second;
    const std::string place = name == "-" ? "/dev/stdin" : name.starts_with('/') ? name : folder + name;
    MINIK_ASSIGN(read[name], runtime::read_whole_file(place));
    return read[name];
  }};
  MINIK_ASSIGN(auto scenario, sim::parse_scenario(text, path, files));
  WholeScenario whole{text, std::move(scenario)};
  if (!read.empty()) {
    const auto document = sim::with_named_expectations(control::parse_yaml(text, path)->at(0).value, whole.scenario);
    MINIK_ASSIGN(const auto inlined, sim::with_files_inline(document, files));
    whole.text = control::to_yaml(inlined);
  }
  return whole;
}

// What is wrong stands in the answer, with the same exit code as without -o json.
void validate_as_json(const std::string& path) {
  const auto whole = read_whole_scenario(path);
  if (!whole) {
    print_json({{"valid", false}, {"file", path}, {"error", whole.error().message}});
    throw Exit{kNotValid};
  }
  int64_t nodes = 0;
  for (const auto& pool : whole->scenario.pools) nodes += pool.count;
  print_json({{"valid", true},
              {"file", path},
              {"scenario", whole->scenario.name},
              {"seed", cat(whole->scenario.seed)},
              {"duration", format_duration(whole->scenario.duration)},
              {"nodes", nodes},
              {"faults", static_cast<int64_t>(whole->scenario.faults.size())},
              {"expectations", static_cast<int64_t>(whole->scenario.expectations.size())}});
}

}  // namespace

WholeScenario load_whole_scenario(const std::string& path) {
  auto whole = read_whole_scenario(path);
  if (!whole) fail(whole.error(), kNotValid);
  return *std::move(whole);
}

sim::Scenario load_scenario(const std::string& path) { return load_whole_scenario(path).scenario; }

void add_output_option(Command command, std::string& output) {
  command.add_option("-o,--output", output, "text or json").one_of({"text", "json"}).show_default();
}

void print_json(std::vector<control::MapEntry> fields) {
  std::printf("%s\n", control::to_json(control::Value::map(std::move(fields))).c_str());
}

void check_writable(const std::string& path) {
  if (path.empty() || std::ofstream(path, std::ios::binary | std::ios::app)) return;
  fail(Error(ErrorCode::kInternalError, cat("cannot write ", path, ": is its folder there?")));
}

Status write_report(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return Error(ErrorCode::kInternalError, cat("cannot write ", path, ": is its folder there and not full?"));
  return {};
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:,@%=";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string reproduce_line(const std::string& file, uint64_t seed) {
  return cat("minik sim run ", shell_word(file), " --seed ", seed);
}

TraceFile::TraceFile(const std::string& path)
    : path_(path), file_(path, std::ios::binary | std::ios::trunc), writer_([this](std::string_view line) { file_ << line << '\n'; }) {
  if (!file_) fail(Error(ErrorCode::kInternalError, cat("cannot write the trace to ", path)));
}

Status TraceFile::close() {
  file_.close();
  if (!file_) return Error(ErrorCode::kInternalError, cat("cannot write the trace to ", path_, ": is the disk full?"));
  return {};
}

sim::TraceHeader trace_header(const sim::Scenario& scenario, const std::string& text, const std::string& file, uint64_t seed) {
  return {scenario.name, file, text, seed, sim::ClusterOptions().begin, false};
}

TraceLines::TraceLines(const std::string& path) : path_(path), file_(path == "-" ? "/dev/stdin" : path, std::ios::binary) {
  if (!file_) fail(Error(ErrorCode::kNotFound, cat("cannot read ", path)), kNotValid);
  std::getline(file_, header_line_);
  auto header = sim::read_trace_header(header_line_);
  if (!header) fail(Error(header.error().code, cat(path, ":1: ", header.error().message)), kNotValid);
  header_ = *std::move(header);
}

std::optional<std::string> TraceLines::next() {
  std::string line;
  if (!std::getline(file_, line)) return {};
  ++line_;
  return line;
}

std::optional<sim::TraceEntry> TraceLines::next_entry() {
  const auto line = next();
  if (!line) return {};
  auto entry = sim::read_trace_entry(*line);
  if (!entry) fail(Error(entry.error().code, cat(path_, ":", line_, ": ", entry.error().message)), kNotValid);
  return *std::move(entry);
}

bool is_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return file.get() == '{';
}

void add_sim(Command app, Globals& globals) {
  const auto sim = app.add_command("sim", "The control plane in virtual time against simulated machines");
  sim.footer("Example: minik sim run scenarios/rollout-with-node-loss.yaml --seed 7");
  add_run(sim);
  add_sweep(sim);
  add_shrink(sim);
  add_serve(sim);
  add_live_control(sim);
  add_import(sim);
  add_compare(sim, globals);
  add_trace_commands(sim);
  static std::string path;
  const auto validate = sim.add_command("validate", "Check a scenario file without running it");
  validate.footer("Example: minik sim validate my-scenario.yaml");
  static bool schema = false;
  static std::string output = "text";
  add_output_option(validate, output);
  validate.add_flag("--schema", schema, "Print the JSON Schema of scenarios, for editors, and check nothing");
  validate.add_option("file", path, "The scenario, - for standard input");
  validate.callback([] {
    if (schema) {
      std::fputs(std::string(sim::scenario_schema()).c_str(), stdout);
      return;
    }
    if (path.empty()) fail_without("file");
    if (output == "json") {
      validate_as_json(path);
      return;
    }
    std::printf("%s is valid\n", load_scenario(path).name.c_str());
  });
}

}  // namespace minik::cli
