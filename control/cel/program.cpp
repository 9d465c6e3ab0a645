#include "control/cel/program.h"

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/cel/checker.h"
#include "control/cel/evaluator.h"
#include "control/cel/syntax.h"

namespace minik::control::cel {

const Type& json_patch_type() {
  static const Type type = Type::object(
      "JSONPatch", {{"op", Kind::kString}, {"path", Kind::kString}, {"from", Kind::kString}, {"value", {}}});
  return type;
}

Result<Program> Program::compile(std::string_view expression, const Environment& environment,
                                 const Type& wanted) {
  MINIK_ASSIGN(auto tree, parse(expression));
  MINIK_TRY(check(tree, environment, wanted));
  return Program(std::make_shared<const Tree>(std::move(tree)));
}

const std::string& Program::source() const {
  return tree_->source;
}
const Type& Program::type() const {
  return (*tree_)[tree_->root].type;
}

Result<Datum> Program::evaluate(std::span<const Datum> bindings, Budget& budget) const {
  CHECK(bindings.size() == tree_->variables)
      << bindings.size() << " bindings for " << tree_->variables << " variables";
  Datum result = cel::evaluate(*tree_, bindings, budget);
  if (result.is_error()) return Error(ErrorCode::kInvalid, std::string(result.as_text()));
  return result;
}

Result<bool> Program::evaluate_bool(std::span<const Datum> bindings) const {
  Budget budget;
  MINIK_ASSIGN(const Datum result, evaluate(bindings, budget));
  if (result.kind() != Kind::kBool) {
    return Error(ErrorCode::kInvalid,
                 cat("the expression yields ", result.type_name(), ", not bool"));
  }
  return result.is_true();
}

}  // namespace minik::control::cel
