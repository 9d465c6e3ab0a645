// Expressions of strangers. Whatever compiles must evaluate within its budget and to the same
// result twice; nothing may crash, hang or grow without bound.
#include <cstdint>

#include "control/base/check.h"
#include "control/cel/program.h"
#include "control/object/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  using namespace minik::control::cel;
  static const Value object = *parse_json(
      R"({"metadata":{"name":"a","labels":{"b":"c"}},"spec":{"replicas":3,"list":[1,2.5,"x",null,{}]}})");
  static const Environment environment(
      {{"object", Type()}, {"n", Kind::kInt}, {"words", Type::list(Kind::kString)}}, ObjectForms::kMutations);
  const auto program = Program::compile({reinterpret_cast<const char*>(data), size}, environment);
  if (!program) return 0;
  const Datum bindings[] = {Datum::document(object), Datum::integer(5),
                            Datum::list({Datum::text("w")})};
  // A small limit keeps each input quick.
  Budget first{.limit = 10'000}, second{.limit = 10'000};
  const auto result = program->evaluate(bindings, first);
  const auto again = program->evaluate(bindings, second);
  CHECK(result.ok() == again.ok());
  CHECK(first.spent == second.spent && first.spent <= first.limit);
  if (result) {
    CHECK(result->display() == again->display());
  }
  return 0;
}
