// What the commands of `minik sim` share: reading scenarios and traces, writing reports.
#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "minik/cli/command.h"
#include "sim/results.h"
#include "sim/scenario.h"
#include "sim/trace_file.h"

namespace minik::cli {

inline constexpr int kFailed = 1, kNotValid = 2;

// A scenario that needs no other files: its text has the manifests that the file names, too.
struct WholeScenario {
  std::string text;
  sim::Scenario scenario;
};

// These end the program with exit code 2 and the place in the file when it is not valid. - is standard input.
WholeScenario load_whole_scenario(const std::string& path);
sim::Scenario load_scenario(const std::string& path);

// -o text|json, and what goes out as json.
void add_output_option(Command command, std::string& output);
void print_json(std::vector<control::MapEntry> fields);

// Ends the program when there is a path and nothing can be written there: before the work rather than after it.
void check_writable(const std::string& path);
Status write_report(const std::string& path, const std::string& text);

// A file name as a shell takes it: quoted where it must be.
std::string shell_word(const std::string& text);
// The line that makes a run again.
std::string reproduce_line(const std::string& file, uint64_t seed);

// Writes the trace of a run to a file: begin() before it, end() after it.
class TraceFile {
 public:
  explicit TraceFile(const std::string& path);
  sim::TraceWriter& writer() { return writer_; }
  Status close();

 private:
  std::string path_;
  std::ofstream file_;
  sim::TraceWriter writer_;
};
sim::TraceHeader trace_header(const sim::Scenario& scenario, const std::string& text, const std::string& file, uint64_t seed);

// Reads a trace line by line, - is standard input. Ends the program with exit code 2 when the file is not
// there or is no trace.
class TraceLines {
 public:
  explicit TraceLines(const std::string& path);
  const sim::TraceHeader& header() const { return header_; }
  const std::string& header_line() const { return header_line_; }
  std::optional<std::string> next();
  // Like next(), and what is no entry ends the program.
  std::optional<sim::TraceEntry> next_entry();

 private:
  std::string path_;
  std::ifstream file_;
  std::string header_line_;
  sim::TraceHeader header_;
  uint64_t line_ = 1;
};
// Whether this file begins like a trace; anything else is taken for a scenario.
bool is_trace(const std::string& path);

// Of the simulation that `minik sim serve` serves unless it is told otherwise.
inline constexpr const char* kLiveName = "minik-sim";
// $MINIK_HOME/.sim/NAME
Result<std::string> live_folder(const std::string& name);
struct LiveAnswer {
  int status = 0;  // of HTTP
  std::string body;
};
// kServiceUnavailable when none of that name is served.
Result<LiveAnswer> ask_live(const std::string& name, const std::string& method, const std::string& path,
                            const std::string& body);

void add_run(Command sim);
void add_sweep(Command sim);
void add_shrink(Command sim);
void add_trace_commands(Command sim);
void add_serve(Command sim);
void add_live_control(Command sim);
void add_import(Command sim);
void add_compare(Command sim, Globals& globals);

}  // namespace minik::cli
