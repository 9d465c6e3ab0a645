// The schema's own words (field names, enum values, common condition types and reasons) as small
// integers, so that a document holds and compares them without a string.
//
// The table is generated from control/schema/*.yaml and control/object/symbols.txt by
// control/object/symbols.py; it is sorted, so that the order of indices is the order of the texts. An
// index means something inside one build only and never leaves the process.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace minik::control {

std::optional<uint32_t> find_symbol(std::string_view text);
std::string_view symbol_text(uint32_t index);
uint32_t symbol_count();
// Value::hash() of the text.
uint64_t symbol_hash(uint32_t index);

}  // namespace minik::control
