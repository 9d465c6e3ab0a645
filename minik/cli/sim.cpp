#include "minik/cli/command.h"

namespace minik::cli {

void add_sim(CLI::App&) {}

}  // namespace minik::cli
