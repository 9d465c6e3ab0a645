// What failed, as CI services show it beside the file: GitHub's workflow commands, lines of the form
// file:line: error: text that editors and most services know, and GitLab's code quality report.
#pragma once

#include <string>
#include <vector>

#include "minik/cli/command_line.h"
#include "sim/results.h"
#include "sim/scenario.h"

namespace minik::cli {

// `--annotations auto|github|plain|none`; auto is github where GitHub runs the job, else none.
void add_annotations_option(Command command, std::string& format);
// Prints a line for each finding.
void annotate(const std::string& format, const std::string& file, const sim::Scenario& scenario,
              const std::vector<sim::Finding>& failed, const std::string& reproduce);
// A JSON array, empty when nothing failed.
std::string code_quality(const std::string& file, const sim::Scenario& scenario, const std::vector<sim::Finding>& failed);

}  // namespace minik::cli
