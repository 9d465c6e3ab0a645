// What must hold: spec.expect and spec.convergence; and predicates, which triggers share.
#include <algorithm>

#include "control/admission/type_check.h"
#include "control/base/typo.h"
#include "control/schema/schema.h"
#include "sim/scenario/manifest_fields.h"
#include "sim/scenario/metric_families.h"
#include "sim/scenario/parts.h"

namespace minik::sim {

using control::Value;

namespace {

// An expression that reads a field which no such object has never holds. All else may be dynamic: fields come and go.
Status check_fields(const Reader& r, const std::string& at, std::string_view text, std::string_view variable, control::KindId kind) {
  const auto* resource = stored_resource(kind);
  if (!resource || !resource->type) return {};
  const auto document = control::document_type(*resource->type);
  const control::cel::Environment typed({{std::string(variable), variable == "objects" ? control::cel::Type::list(document) : document}});
  const auto program = control::cel::Program::compile(text, typed, control::cel::Kind::kBool);
  const bool is_unknown = !program && program.error().message.find("undefined field") != std::string::npos;
  return is_unknown ? r.error(at, program.error().message) : Status();
}

// `cel:` beside `object` or `list`, over the one variable of that name.
Status read_expression(const Reader& r, const Value& v, const std::string& at, std::string_view variable, Predicate& p) {
  const Value& text = v.get("cel");
  const std::string text_at = Reader::child(at, "cel");
  if (!text.is_string()) return r.error(text_at, "must be a text");
  const bool is_list = variable == "objects";
  const control::cel::Environment environment(
      {{std::string(variable), is_list ? control::cel::Type::list({}) : control::cel::Type()}});
  auto program = control::cel::Program::compile(text.as_string(), environment, control::cel::Kind::kBool);
  if (!program) return r.error(text_at, program.error().message);
  p.expression = *std::move(program);
  return check_fields(r, text_at, text.as_string(), variable, is_list ? p.selection->kind : p.object->id);
}

Status read_bounds(const Reader& r, const Value& v, const std::string& at, Bounds& bounds) {
  for (const auto& [name, into] :
       {std::pair{"equals", &bounds.equals}, std::pair{"atLeast", &bounds.at_least}, std::pair{"atMost", &bounds.at_most}}) {
    if (!v.contains(name)) continue;
    MINIK_ASSIGN(*into, r.number(v, at, name, 0));
  }
  if (!bounds.any()) return r.error(at, "needs equals, atLeast or atMost");
  return {};
}

Status read_object(const Reader& r, const Value& v, const std::string& at, Predicate& p) {
  MINIK_TRY(r.only(v.get("object"), at + ".object", {"kind", "namespace", "name"}));
  MINIK_ASSIGN(p.object, r.reference(v.get("object"), at + ".object"));
  if (v.contains("cel")) return read_expression(r, v, at, "object", p);
  p.matches = v.get("matches");
  if (!p.matches.is_map()) return r.error(at, "needs `matches` beside `object`");
  // A field that no such object has would never be as it must be.
  const auto* resource = stored_resource(p.object->id);
  const auto complaint = resource ? complaint_about(*resource, p.matches) : std::nullopt;
  return complaint ? r.error(at + ".matches", complaint->what) : Status();
}

Status read_list(const Reader& r, const Value& v, const std::string& at, Predicate& p) {
  const std::string list_at = at + ".list";
  MINIK_TRY(r.only(v.get("list"), list_at, {"kind", "namespace", "labelSelector", "fieldSelector", "condition"}));
  MINIK_ASSIGN(p.selection, r.selection(v.get("list"), list_at));
  if (!v.contains("cel")) return r.error(at, "needs `cel` beside `list`");
  return read_expression(r, v, at, "objects", p);
}

Status read_count(const Reader& r, const Value& v, const std::string& at, Predicate& p) {
  const Value& count = v.get("count");
  const std::string count_at = at + ".count";
  MINIK_TRY(r.only(count, count_at, {"kind", "namespace", "labelSelector", "fieldSelector", "condition", "equals", "atLeast", "atMost"}));
  MINIK_ASSIGN(p.selection, r.selection(count, count_at));
  return read_bounds(r, count, count_at, p.bounds);
}

Status check_metric(const Reader& r, const std::string& at, const MetricSelection& metric) {
  const MetricFamily* family = find_metric_family(metric.name);
  if (!family) {
    const std::string name_at = Reader::child(at, "name");
    if (metric.name.starts_with("minik_sim_")) {
      return r.error(name_at, cat(metric.name, " is only written by --metrics; `count` says the same of stored objects"));
    }
    if (metric.name.starts_with("kubelet_") || metric.name.starts_with("container_") || metric.name.starts_with("process_")) {
      return r.error(name_at, cat(metric.name, " is not counted in the simulator, which has the metrics of the API server, the "
                                               "controllers and the scheduler"));
    }
    std::vector<std::string_view> known;
    for (const auto& one : metric_families()) known.push_back(one.name);
    return r.error(name_at, cat("no metric ", metric.name, perhaps(metric.name, known),
                                "; minik sim run --metrics writes all that there are"));
  }
  for (const auto& [label, value] : metric.labels) {
    const bool is_bound = label == "le" && metric.name.ends_with("_bucket");
    if (is_bound || std::ranges::find(family->labels, label) != family->labels.end()) continue;
    const std::vector<std::string> known(family->labels.begin(), family->labels.end());
    const std::string label_at = cat(at, ".labels.", label);
    if (known.empty()) return r.error(label_at, cat(metric.name, " has no labels"));
    return r.error(label_at, cat(metric.name, " has no such label", perhaps(label, family->labels), "; it has ", join(known, ", ")));
  }
  return {};
}

Status read_metric(const Reader& r, const Value& v, const std::string& at, Predicate& p) {
  const Value& metric = v.get("metric");
  const std::string metric_at = at + ".metric";
  MINIK_TRY(r.only(metric, metric_at, {"name", "labels", "equals", "atLeast", "atMost"}));
  p.metric.emplace();
  MINIK_ASSIGN(p.metric->name, r.text(metric, metric_at, "name", ""));
  if (p.metric->name.empty()) return r.error(metric_at, "needs the name of a family, such as apiserver_request_total");
  MINIK_ASSIGN(const auto labels, r.text_map(metric, metric_at, "labels"));
  p.metric->labels.assign(labels.begin(), labels.end());
  MINIK_TRY(check_metric(r, metric_at, *p.metric));
  return read_bounds(r, metric, metric_at, p.bounds);
}

}  // namespace

Result<Predicate> read_predicate(const Reader& r, const Value& v, const std::string& at) {
  Predicate p;
  if (v.contains("object") + v.contains("count") + v.contains("list") + v.contains("metric") != 1) {
    return r.error(at, "needs one of `object` (with `matches` or `cel`), `count`, `list` (with `cel`) and `metric`");
  }
  const bool bare = v.contains("count") || v.contains("metric");
  if (bare ? v.contains("cel") || v.contains("matches") : v.contains("cel") == v.contains("matches")) {
    return r.error(at, "needs one of `matches` and `cel` beside `object`, `cel` beside `list`, neither beside `count` and `metric`");
  }
  if (v.contains("object")) MINIK_TRY(read_object(r, v, at, p));
  if (v.contains("list")) MINIK_TRY(read_list(r, v, at, p));
  if (v.contains("count")) MINIK_TRY(read_count(r, v, at, p));
  if (v.contains("metric")) MINIK_TRY(read_metric(r, v, at, p));
  return p;
}

Result<Expectation> read_expectation(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"name", "after", "within", "always", "never", "stableFor", "object", "matches", "count", "list", "metric", "cel"}));
  Expectation e;
  e.place = r.place(at);
  MINIK_ASSIGN(e.name, r.text(v, at, "name", ""));
  MINIK_ASSIGN(e.after, r.duration(v, at, "after", {}));
  MINIK_ASSIGN(const auto always, r.boolean(v, at, "always"));
  MINIK_ASSIGN(const auto never, r.boolean(v, at, "never"));
  const bool stable = v.contains("stableFor"), within = v.contains("within");
  if (always + never + (stable || within) != 1) {
    return r.error(at, "needs one of `within: <duration>`, `always: true`, `never: true` and `stableFor: <duration>` (with or without within)");
  }
  e.must = always   ? Expectation::Must::kAlways
           : never  ? Expectation::Must::kNever
           : stable ? Expectation::Must::kStable
                    : Expectation::Must::kWithin;
  MINIK_ASSIGN(e.time, r.duration(v, at, stable ? "stableFor" : "within", {}));
  if (stable && within) {
    MINIK_ASSIGN(e.deadline, r.duration(v, at, "within", {}));
    if (*e.deadline < e.time) return r.error(at, "`within` is less than `stableFor`");
  }
  MINIK_ASSIGN(e.predicate, read_predicate(r, v, at));
  return e;
}

Result<Convergence> read_convergence(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"within", "except"}));
  Convergence convergence;
  MINIK_ASSIGN(convergence.within, r.duration(v, at, "within", convergence.within));
  const auto read = [&](const Value& item, const std::string& item_at) -> Result<ObjectReference> {
    MINIK_TRY(r.only(item, item_at, {"kind", "namespace", "name"}));
    return r.reference(item, item_at);
  };
  MINIK_TRY(read_list(r, v.get("except"), at + ".except", convergence.except, read));
  return convergence;
}

}  // namespace minik::sim
