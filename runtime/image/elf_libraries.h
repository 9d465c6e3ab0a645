// What a dynamic executable needs beside itself: its loader and, transitively, its shared
// libraries.
//
// Read from the ELF file, without running it: PT_INTERP and DT_NEEDED, searched in DT_RUNPATH and
// the loader's default folders of Debian. 64-bit little-endian files only, which is every machine
// that minik runs on. Pure reading; any thread. A library that is nowhere is kNotFound and is
// named.
#pragma once

#include <set>
#include <string>

#include "control/base/result.h"

namespace minik::runtime {

// Paths as the loader would open them (links not followed); empty for a static executable. kInvalid
// when the file is no ELF executable.
Result<std::set<std::string>> elf_libraries(const std::string& executable);

}  // namespace minik::runtime
