#include "control/store/sqlite_log.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/subtree_pool.h"

namespace minik::control {

namespace {

constexpr int kFormat = 2;
// A pod takes two to three KiB: pages of eight hold three of them, pages of four only one.
constexpr int kPageBytes = 8192;
constexpr int kApplicationId = 0x6d696e6b;  // "mink"
// The write-ahead log is cut back to this size after a checkpoint.
constexpr std::string_view kWalBytesMax = "16777216";

constexpr const char* kTables = R"sql(
CREATE TABLE kinds(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE facts(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE objects(revision INTEGER PRIMARY KEY, kind INTEGER NOT NULL,
                     checksum INTEGER NOT NULL, object TEXT NOT NULL);
CREATE TABLE deletions(kind INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
INSERT INTO facts VALUES('last_revision', 0);
INSERT INTO facts VALUES('deletions_known_from', 0);
)sql";
constexpr const char* kFromFormat1 = R"sql(
CREATE TABLE deletions(kind INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
INSERT INTO facts SELECT 'deletions_known_from', value FROM facts WHERE name = 'last_revision';
)sql";

int64_t checksum(std::string_view text) {
  return static_cast<int64_t>(fnv1a_64(text));
}

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinishStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinishStatement>;

Error damaged(const std::string& path, std::string_view how) {
  return Error(
      ErrorCode::kInternalError,
      cat(path, " is damaged (", how, "): put a copy of it in its place, or move it away to ",
          "start with an empty cluster"));
}

// What a failed call means for whoever reads the message, and what can be done.
Error explain(const std::string& path, sqlite3* database, int code) {
  const int system = database ? sqlite3_system_errno(database) : 0;
  const std::string text = database ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  const std::string cause = system ? cat(text, ", ", std::strerror(system)) : text;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Error(
          ErrorCode::kServiceUnavailable,
          cat("cannot write ", path, ": the disk is full; free some space and start again"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(ErrorCode::kConflict,
                   cat(path, " is in use by another process; stop that one first"));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return Error(ErrorCode::kForbidden, cat("cannot open ", path, " for writing: ", cause,
                                              "; check the folder and its owner"));
    default:
      return Error(ErrorCode::kInternalError,
                   cat("cannot use ", path, ": ", cause, "; check the disk and start again"));
  }
}

}  // namespace

// The connection and the thread that writes. Until the first append only the control thread touches
// the connection, afterwards only the writer thread, until it has been joined.
class SqliteLog::Writer {
 public:
  struct DiskKind {
    int64_t id;
    std::string name;
  };
  struct Row {
    LogRecord record;
    int64_t kind;
  };
  struct Batch {
    std::vector<DiskKind> kinds;
    std::vector<Row> rows;
    std::function<void(Status)> durable;
  };

  Writer(std::string path, Executor& executor, SqliteLogOptions::Writes writes)
      : path_(std::move(path)), executor_(executor), writes_(writes) {}
  ~Writer() { close(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Status open(const std::string& vfs);
  Result<std::vector<DiskKind>> read_kinds();
  Result<Revision> read_last_revision();
  // When the kinds of these numbers had their last deletion, and from when on that is known.
  Result<std::map<int64_t, Revision>> read_deletions();
  Result<Revision> read_deletions_known_from();
  // `visit` gets the number of the kind, the revision and the object's text.
  Status read_objects(const std::function<Status(int64_t, Revision, std::string_view)>& visit);
  Error damage(std::string_view how) const { return damaged(path_, how); }

  void append(Batch batch);
  int64_t next_kind = 1;

 private:
  Status set_up();
  Status prepare_writes();
  Result<Statement> prepare(const char* sql);
  Result<int64_t> number(const char* sql);
  Status execute(const char* sql);
  Status step(sqlite3_stmt* statement);
  Error failure() const {
    return explain(path_, database_.get(), sqlite3_extended_errcode(database_.get()));
  }

  void write_until_closed();
  // Writes the group, unless something has failed before, and answers.
  void write_and_answer(std::vector<Batch> group);
  Status write(const std::vector<Batch>& group);
  Status write_batch(const Batch& batch);
  void close();

  const std::string path_;
  Executor& executor_;
  const SqliteLogOptions::Writes writes_;
  Database database_;
  Statement insert_, erase_, add_kind_, set_last_, set_deletion_;
  std::string text_;  // of the row being written
  Status status_;     // of all writes so far; whoever writes has it

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Batch> waiting_;  // under mutex_
  bool closing_ = false;        // under mutex_
};

Status SqliteLog::Writer::open(const std::string& vfs) {
  if (vfs.empty()) {
    // The file holds Secrets: nobody else reads it. SQLite gives the write-ahead log the same mode.
    const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      return error_from_errno(errno, cat("cannot open ", path_, " for writing"));
    }
    ::close(fd);
  }
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path_.c_str(), &opened,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                                   vfs.empty() ? nullptr : vfs.c_str());
  database_.reset(opened);
  if (code != SQLITE_OK) return explain(path_, opened, code);
  sqlite3_extended_result_codes(opened, 1);
  return set_up();
}

Status SqliteLog::Writer::set_up() {
  // Exclusive before anything else: it keeps the index of the write-ahead log in plain memory and
  // shuts a second process out.
  MINIK_TRY(execute("PRAGMA locking_mode=EXCLUSIVE"));
  MINIK_ASSIGN(const int64_t application, number("PRAGMA application_id"));
  MINIK_ASSIGN(const int64_t format, number("PRAGMA user_version"));
  MINIK_ASSIGN(const int64_t tables, number("SELECT count(*) FROM sqlite_schema"));
  const bool fresh = tables == 0 && application == 0 && format == 0;
  if (!fresh && application != kApplicationId) {
    return Error(ErrorCode::kBadRequest,
                 cat(path_, " is a database of another program; move it away and start again"));
  }
  if (!fresh && format != kFormat && format != 1) {
    return Error(ErrorCode::kBadRequest,
                 cat(path_, " has format ", format, ", and this version knows format ", kFormat,
                     "; use the version that wrote it"));
  }
  if (fresh) MINIK_TRY(execute(cat("PRAGMA page_size=", kPageBytes).c_str()));
  MINIK_TRY(execute("PRAGMA journal_mode=WAL"));
  MINIK_TRY(execute("PRAGMA synchronous=FULL"));
  MINIK_TRY(execute(cat("PRAGMA journal_size_limit=", kWalBytesMax).c_str()));
  if (fresh) {
    MINIK_TRY(execute("BEGIN IMMEDIATE"));
    MINIK_TRY(execute(kTables));
    MINIK_TRY(execute(cat("PRAGMA application_id=", kApplicationId).c_str()));
    MINIK_TRY(execute(cat("PRAGMA user_version=", kFormat).c_str()));
    MINIK_TRY(execute("COMMIT"));
  }
  if (!fresh && format == 1) {
    MINIK_TRY(execute("BEGIN IMMEDIATE"));
    MINIK_TRY(execute(kFromFormat1));
    MINIK_TRY(execute(cat("PRAGMA user_version=", kFormat).c_str()));
    MINIK_TRY(execute("COMMIT"));
  }
  return prepare_writes();
}

Status SqliteLog::Writer::prepare_writes() {
  MINIK_ASSIGN(insert_, prepare("INSERT INTO objects VALUES(?1, ?2, ?3, ?4)"));
  MINIK_ASSIGN(erase_, prepare("DELETE FROM objects WHERE revision = ?1"));
  MINIK_ASSIGN(add_kind_, prepare("INSERT INTO kinds VALUES(?1, ?2)"));
  MINIK_ASSIGN(set_deletion_, prepare("INSERT OR REPLACE INTO deletions VALUES(?1, ?2)"));
  MINIK_ASSIGN(set_last_, prepare("UPDATE facts SET value = ?1 WHERE name = 'last_revision'"));
  return {};
}

Result<Statement> SqliteLog::Writer::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK)
    return failure();
  return Statement(statement);
}

Result<int64_t> SqliteLog::Writer::number(const char* sql) {
  MINIK_ASSIGN(const auto statement, prepare(sql));
  if (sqlite3_step(statement.get()) != SQLITE_ROW) return failure();
  return static_cast<int64_t>(sqlite3_column_int64(statement.get(), 0));
}

Status SqliteLog::Writer::execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure();
  return {};
}

// Runs a statement that gives no rows and makes it ready for the next time.
Status SqliteLog::Writer::step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  if (code != SQLITE_DONE) {
    Error error = failure();
    sqlite3_reset(statement);
    return error;
  }
  sqlite3_reset(statement);
  return {};
}

Result<std::vector<SqliteLog::Writer::DiskKind>> SqliteLog::Writer::read_kinds() {
  MINIK_ASSIGN(const auto statement, prepare("SELECT id, name FROM kinds ORDER BY id"));
  std::vector<DiskKind> kinds;
  int code;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 1));
    kinds.push_back({sqlite3_column_int64(statement.get(), 0), name ? name : ""});
    next_kind = kinds.back().id + 1;
  }
  if (code != SQLITE_DONE) return failure();
  return kinds;
}

Result<Revision> SqliteLog::Writer::read_last_revision() {
  MINIK_ASSIGN(const int64_t last, number("SELECT value FROM facts WHERE name = 'last_revision'"));
  return Revision{static_cast<uint64_t>(last)};
}

Result<std::map<int64_t, Revision>> SqliteLog::Writer::read_deletions() {
  MINIK_ASSIGN(const auto statement, prepare("SELECT kind, revision FROM deletions ORDER BY kind"));
  std::map<int64_t, Revision> deletions;
  int code;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    deletions[sqlite3_column_int64(statement.get(), 0)] = {
        static_cast<uint64_t>(sqlite3_column_int64(statement.get(), 1))};
  }
  if (code != SQLITE_DONE) return failure();
  return deletions;
}

Result<Revision> SqliteLog::Writer::read_deletions_known_from() {
  MINIK_ASSIGN(const int64_t from, number("SELECT value FROM facts WHERE name = 'deletions_known_from'"));
  return Revision{static_cast<uint64_t>(from)};
}

Status SqliteLog::Writer::read_objects(
    const std::function<Status(int64_t, Revision, std::string_view)>& visit) {
  MINIK_ASSIGN(const auto statement,
               prepare("SELECT revision, kind, checksum, object FROM objects ORDER BY revision"));
  sqlite3_stmt* row = statement.get();
  int code;
  while ((code = sqlite3_step(row)) == SQLITE_ROW) {
    const auto revision = sqlite3_column_int64(row, 0);
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(row, 3));
    const std::string_view text(bytes ? bytes : "",
                                static_cast<size_t>(sqlite3_column_bytes(row, 3)));
    if (checksum(text) != sqlite3_column_int64(row, 2)) {
      return damage(cat("the checksum of revision ", revision, " is wrong"));
    }
    MINIK_TRY(visit(sqlite3_column_int64(row, 1), {static_cast<uint64_t>(revision)}, text));
  }
  if (code != SQLITE_DONE) return failure();
  return {};
}

void SqliteLog::Writer::append(Batch batch) {
  if (writes_ == SqliteLogOptions::Writes::kInAppend) {
    std::vector<Batch> group;
    group.push_back(std::move(batch));
    write_and_answer(std::move(group));
    return;
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { write_until_closed(); });
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(batch));
  }
  wake_.notify_one();
}

void SqliteLog::Writer::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void SqliteLog::Writer::write_until_closed() {
  for (;;) {
    std::vector<Batch> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      group = std::exchange(waiting_, {});
    }
    write_and_answer(std::move(group));
  }
}

void SqliteLog::Writer::write_and_answer(std::vector<Batch> group) {
  if (status_.ok()) status_ = write(group);
  std::vector<std::function<void(Status)>> answers;
  for (auto& batch : group) answers.push_back(std::move(batch.durable));
  executor_.post([answers = std::move(answers), status = status_] {
    for (const auto& durable : answers) durable(status);
  });
}

Status SqliteLog::Writer::write(const std::vector<Batch>& group) {
  MINIK_TRY(execute("BEGIN IMMEDIATE"));
  for (const auto& batch : group) MINIK_TRY(write_batch(batch));
  return execute("COMMIT");
}

Status SqliteLog::Writer::write_batch(const Batch& batch) {
  for (const auto& kind : batch.kinds) {
    sqlite3_bind_int64(add_kind_.get(), 1, kind.id);
    sqlite3_bind_text(add_kind_.get(), 2, kind.name.data(), static_cast<int>(kind.name.size()),
                      SQLITE_STATIC);
    MINIK_TRY(step(add_kind_.get()));
  }
  std::map<int64_t, Revision> deletions;
  for (const auto& [record, kind] : batch.rows) {
    if (record.previous.value != 0) {
      sqlite3_bind_int64(erase_.get(), 1, static_cast<int64_t>(record.previous.value));
      MINIK_TRY(step(erase_.get()));
    }
    if (record.what == LogRecord::Kind::kDelete) {
      deletions[kind] = record.revision;
      continue;
    }
    text_.clear();
    write_json(record.object, text_);
    sqlite3_bind_int64(insert_.get(), 1, static_cast<int64_t>(record.revision.value));
    sqlite3_bind_int64(insert_.get(), 2, kind);
    sqlite3_bind_int64(insert_.get(), 3, checksum(text_));
    sqlite3_bind_text64(insert_.get(), 4, text_.data(), text_.size(), SQLITE_STATIC, SQLITE_UTF8);
    MINIK_TRY(step(insert_.get()));
  }
  for (const auto& [kind, revision] : deletions) {
    sqlite3_bind_int64(set_deletion_.get(), 1, kind);
    sqlite3_bind_int64(set_deletion_.get(), 2, static_cast<int64_t>(revision.value));
    MINIK_TRY(step(set_deletion_.get()));
  }
  if (batch.rows.empty()) return {};
  const auto last = batch.rows.back().record.revision.value;
  sqlite3_bind_int64(set_last_.get(), 1, static_cast<int64_t>(last));
  return step(set_last_.get());
}

SqliteLog::SqliteLog(std::unique_ptr<Writer> writer, KindNames names)
    : writer_(std::move(writer)), names_(std::move(names)) {}

SqliteLog::~SqliteLog() = default;

Result<std::unique_ptr<SqliteLog>> SqliteLog::open(const std::string& path, Executor& executor,
                                                   KindNames names, SqliteLogOptions options) {
  auto writer = std::make_unique<Writer>(path, executor, options.writes);
  MINIK_TRY(writer->open(options.vfs));
  return std::unique_ptr<SqliteLog>(new SqliteLog(std::move(writer), std::move(names)));
}

Result<RecoveredState> SqliteLog::recover() {
  RecoveredState state;
  MINIK_ASSIGN(state.last, writer_->read_last_revision());
  MINIK_ASSIGN(const auto kinds, writer_->read_kinds());
  LastChanges changes;
  MINIK_ASSIGN(changes.others, writer_->read_deletions_known_from());
  MINIK_ASSIGN(const auto deletions, writer_->read_deletions());
  std::vector<std::optional<KindId>> known(static_cast<size_t>(writer_->next_kind));
  for (const auto& [id, name] : kinds) {
    const auto kind = names_.find(name);
    known[static_cast<size_t>(id)] = kind;
    if (!kind) {
      unknown_kinds_.push_back(name);
      continue;
    }
    if (disk_kinds_.size() <= kind->value) disk_kinds_.resize(kind->value + size_t{1});
    disk_kinds_[kind->value] = id;
    const auto deleted = deletions.find(id);
    changes.of[*kind] = deleted == deletions.end() ? changes.others : std::max(changes.others, deleted->second);
  }
  // Shared while they are read: a hundred thousand pods side by side would take thrice the memory.
  SubtreePool pool;
  MINIK_TRY(
      writer_->read_objects([&](int64_t id, Revision revision, std::string_view text) -> Status {
        if (id < 1 || static_cast<size_t>(id) >= known.size() || revision > state.last) {
          return writer_->damage(cat("revision ", revision.value, " fits nothing else in it"));
        }
        const auto kind = known[static_cast<size_t>(id)];
        if (!kind) return {};
        changes.of[*kind] = std::max(changes.of[*kind], revision);
        auto object = parse_json(text);
        if (!object) return writer_->damage(object.error().message);
        state.objects.push_back({LogRecord::Kind::kPut, *kind, revision, pool.share(*object), {}});
        return {};
      }));
  state.last_changes = std::move(changes);
  return state;
}

void SqliteLog::append(std::vector<LogRecord> batch, std::function<void(Status)> durable) {
  Writer::Batch out{{}, {}, std::move(durable)};
  out.rows.reserve(batch.size());
  for (auto& record : batch) {
    const size_t kind = record.kind.value;
    if (disk_kinds_.size() <= kind) disk_kinds_.resize(kind + 1);
    if (disk_kinds_[kind] == 0) {
      disk_kinds_[kind] = writer_->next_kind++;
      out.kinds.push_back({disk_kinds_[kind], names_.name(record.kind)});
    }
    out.rows.push_back({std::move(record), disk_kinds_[kind]});
  }
  writer_->append(std::move(out));
}

}  // namespace minik::control
