// The functions and operators of the language, declared once as data: name, signature, code and
// cost.
//
// A signature is text: "string.contains(string) -> bool", "_+_(int, int) -> int", "list<A>.map(A)
// -> A". The checker finds the overloads that agree with what it knows of the arguments; the
// evaluator takes the first of them that agrees with their kinds. Two overloads of a name never
// agree with the same kinds.
//
// The table is built once on first use and read only afterwards, from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/cel/datum.h"
#include "control/cel/type.h"

namespace minik::control::cel {

class Regex;

// What a call costs by the sizes of its arguments, in cel-go's numbers: text and bytes cost a tenth
// a byte, lists one an item.
enum class Cost : uint8_t {
  kOne,
  kTraverse,  // of all text, at least 1
  kMakes,     // of all text and of the result, which may be far larger
  kReceiver,  // of the first argument's text
  kItems,     // of all lists
  kProduct,   // first times second: contains, indexOf
  kPattern,   // text times a quarter of the pattern's length
  kSmaller,   // equality stops at the end of the smaller
  kAccess,    // a question to the authorizer
  kSets       // each item of one list against each of the other
};

struct Call {
  std::span<const Datum> arguments;
  const Regex* regex = nullptr;  // the compiled pattern, when it is a constant

  const Datum& operator[](size_t index) const { return arguments[index]; }
};

// Answers an error Datum for what cannot be; never gets one.
using Function = Datum (*)(const Call&);

struct OverloadText {
  std::string_view signature;
  Function function;
  Cost cost = Cost::kOne;
};

struct Overload {
  std::string name;
  bool member = false;  // the first argument is the receiver
  std::vector<Type> arguments;
  Type result;
  Function function = nullptr;
  Cost cost = Cost::kOne;

  // By kinds, as far as kinds say.
  bool agrees(std::span<const Datum> values) const;
};

// In order of declaration; empty for a name that nothing has.
std::span<const Overload> find_overloads(std::string_view name, bool member);
bool is_function(std::string_view name);
// "int" and its like, which name types; empty when it is none.
std::string_view find_type_name(std::string_view identifier);

uint64_t cost_of(const Overload& overload, std::span<const Datum> arguments);
uint64_t cost_of_result(const Overload& overload, const Datum& result);

// One per chapter, each in its file.
std::span<const OverloadText> arithmetic_functions();
std::span<const OverloadText> conversion_functions();
std::span<const OverloadText> time_functions();
std::span<const OverloadText> text_functions();
std::span<const OverloadText> list_functions();
std::span<const OverloadText> network_functions();
std::span<const OverloadText> kubernetes_functions();
std::span<const OverloadText> format_functions();
std::span<const OverloadText> authorizer_functions();

}  // namespace minik::control::cel
