// For a word that nobody knows: the known one that a slip of the hand may have made it of.
//
// Counts the letters that must be put in, taken out, changed or swapped with their neighbours, up to a third of the word and
// three of them. Long words are not looked at: this is for names that people type. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minik {

// ", perhaps … was meant", or nothing where no name is near enough.
std::string perhaps(std::string_view word, std::span<const std::string_view> known);
template <typename Names>
std::string perhaps(std::string_view word, const Names& known) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  return perhaps(word, std::span<const std::string_view>(names));
}

}  // namespace minik
