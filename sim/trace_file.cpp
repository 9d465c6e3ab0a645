#include "sim/trace_file.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/diff.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/patch.h"
#include "sim/run_outcome.h"
#include "sim/sha256.h"

namespace minik::sim {

using control::Value;
namespace keys = control::keys;

namespace {

constexpr std::string_view kApiVersion = "minik.dev/v1alpha1";

void add_text(std::string& out, std::string_view name, std::string_view text) {
  out += cat(",\"", name, "\":");
  control::write_json(Value(text), out);
}

std::string at(Duration time) { return cat("{\"at\":\"", format_duration(time), "\""); }

Error no_entry(std::string_view why) { return Error(ErrorCode::kInvalid, cat("this is no line of a trace: ", why)); }

}  // namespace

void RunListener::on_schema(const control::Schema&) {}
void RunListener::on_write(Instant, const control::LogRecord&) {}
void RunListener::on_delivery(Instant, const std::string&, const control::WatchEvent&) {}
void RunListener::on_action(Duration, const std::string&) {}
void RunListener::on_second(Duration, SimulatedCluster&) {}
void RunListener::on_finding(Duration, const Finding&) {}

std::string write_trace_header(const TraceHeader& header) {
  std::string line = cat("{\"apiVersion\":\"", kApiVersion, "\",\"kind\":\"Trace\"");
  add_text(line, "scenario", header.scenario);
  add_text(line, "file", header.file);
  // Seeds are 64 bits and JSON's numbers are not: text keeps them whole.
  add_text(line, "seed", cat(header.seed));
  add_text(line, "begin", format_nano_time(header.begin));
  if (header.managed_fields) line += ",\"managedFields\":true";
  add_text(line, "sha256", sha256_of(header.text));
  add_text(line, "text", header.text);
  return line + "}";
}

Result<TraceHeader> read_trace_header(std::string_view line) {
  auto parsed = control::parse_json(line);
  if (!parsed || parsed->get("kind").as_string() != "Trace") {
    return Error(ErrorCode::kInvalid, "this is no trace: its first line is written by `minik sim run --trace FILE`");
  }
  const Value& value = *parsed;
  if (value.get("apiVersion").as_string() != kApiVersion) {
    return Error(ErrorCode::kInvalid, cat("traces of version ", quoted(value.get("apiVersion").as_string()),
                                          " are not known here, only ", kApiVersion));
  }
  const auto seed = parse_uint64(value.get("seed").as_string());
  const auto begin = parse_time(value.get("begin").as_string());
  if (!seed || !begin) return Error(ErrorCode::kInvalid, "the trace's header needs \"seed\" and \"begin\"");
  TraceHeader header{value.get("scenario").string(), value.get("file").string(), value.get("text").string(), *seed, *begin,
                     value.get("managedFields").as_bool()};
  if (value.get("sha256").as_string() != sha256_of(header.text)) {
    return Error(ErrorCode::kInvalid, "the scenario in the trace's header has been changed: its hash is another");
  }
  return header;
}

Result<TraceEntry> read_trace_entry(std::string_view line) {
  MINIK_ASSIGN(const auto value, control::parse_json(line));
  const auto time = parse_duration(value.get("at").as_string());
  if (!time) return no_entry("it has no time \"at\"");
  TraceEntry entry;
  entry.at = *time;
  entry.key = value.get("key").string();
  const int64_t revision = value.get("revision").as_int();
  if (revision < 0) return no_entry("its revision is negative");
  entry.revision = static_cast<uint64_t>(revision);
  entry.detail = value.get("detail").string();
  if (value.contains("put")) {
    entry.what = TraceEntry::What::kPut;
    entry.resource = value.get("put").string();
    entry.object = value.get("object");
    entry.patch = value.get("patch");
    if (entry.object.is_map() == entry.patch.is_array()) return no_entry("a put has either an object or a patch");
  } else if (value.contains("delete")) {
    entry.what = TraceEntry::What::kDelete;
    entry.resource = value.get("delete").string();
  } else if (value.contains("event")) {
    entry.what = TraceEntry::What::kDelivery;
    entry.event = value.get("event").string();
    entry.to = value.get("to").string();
  } else if (value.contains("action")) {
    entry.what = TraceEntry::What::kAction;
    entry.text = value.get("action").string();
  } else if (value.contains("finding")) {
    entry.what = TraceEntry::What::kFinding;
    entry.text = value.get("finding").string();
    entry.held = value.get("held").as_bool();
  } else if (value.contains("trace")) {
    entry.what = TraceEntry::What::kEnd;
    entry.text = value.get("trace").string();
    entry.entries = static_cast<uint64_t>(std::max<int64_t>(0, value.get("entries").as_int()));
  } else {
    return no_entry("it is neither a write, a delivery, an action, a finding nor the end");
  }
  return entry;
}

TraceWriter::TraceWriter(Line line) : line_(std::move(line)) {}

void TraceWriter::finish() {
  text_ += '}';
  line_(text_);
}

void TraceWriter::begin(const TraceHeader& header) { line_(write_trace_header(header)); }

void TraceWriter::on_write(Instant now, const control::LogRecord& record) {
  ++entries_;
  const std::string key = control::key_of(record.object).text();
  const bool put = record.what == control::LogRecord::Kind::kPut;
  text_ = at(Duration{now.ns});
  add_text(text_, put ? "put" : "delete", schema_->resource(record.kind).group_resource());
  add_text(text_, "key", key);
  text_ += cat(",\"revision\":", record.revision.value);
  if (!put) {
    last_.erase({record.kind, key});
    finish();
    return;
  }
  Value& last = last_[{record.kind, key}];
  text_ += last.is_absent() ? ",\"object\":" : ",\"patch\":";
  control::write_json(last.is_absent() ? record.object : control::make_json_patch(last, record.object), text_);
  last = record.object;
  finish();
}

void TraceWriter::on_delivery(Instant now, const std::string& component, const control::WatchEvent& event) {
  ++entries_;
  text_ = at(Duration{now.ns});
  add_text(text_, "event", control::watch_event_name(event.type));
  add_text(text_, "to", component);
  add_text(text_, "key", control::key_of(event.object).text());
  text_ += cat(",\"revision\":", control::object_revision(event.object).value);
  finish();
}

void TraceWriter::on_action(Duration now, const std::string& text) {
  text_ = at(now);
  add_text(text_, "action", text);
  finish();
}

void TraceWriter::on_finding(Duration now, const Finding& finding) {
  text_ = at(now);
  add_text(text_, "finding", finding.what);
  text_ += finding.held ? ",\"held\":true" : ",\"held\":false";
  if (!finding.detail.empty()) add_text(text_, "detail", finding.detail);
  finish();
}

void TraceWriter::end(Duration now, std::string_view hash) {
  text_ = at(now) + cat(",\"entries\":", entries_);
  add_text(text_, "trace", hash);
  finish();
}

Status TraceState::apply(const TraceEntry& entry) {
  const TracedKey key{entry.resource, entry.key};
  if (entry.what == TraceEntry::What::kDelete) {
    objects_.erase(key);
    return {};
  }
  if (entry.what != TraceEntry::What::kPut) return {};
  if (entry.object.is_map()) {
    objects_[key] = entry.object;
    return {};
  }
  const auto found = objects_.find(key);
  if (found == objects_.end()) {
    return Error(ErrorCode::kInvalid, cat("revision ", entry.revision, " changes ", entry.resource, " ", entry.key,
                                          ", which the trace has not shown before"));
  }
  MINIK_ASSIGN(found->second, control::apply_json_patch(found->second, entry.patch));
  return {};
}

void TraceState::set(const TracedKey& key, const Value& object) {
  if (object.is_absent()) {
    objects_.erase(key);
  } else {
    objects_[key] = object;
  }
}

const Value& TraceState::find(const TracedKey& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? Value::absent() : found->second;
}

}  // namespace minik::sim
