// lade cache ls, du, prune, logs, export: what the local store keeps to make builds fast.
#include "libimage/local/cache.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/layer/snapshot.h"
#include "libimage/layer/write_layer.h"
#include "libimage/template/format.h"

#include "tools/build/cache_filter.h"
#include "tools/build/verbs.h"
#include "tools/common/images.h"
#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

using Type = CacheEntry::Type;
using templates::Value;

constexpr std::uint64_t kMaxLog = std::uint64_t{1} << 20U;
constexpr std::size_t kShortId = 12;
constexpr std::size_t kLeastId = 4;

std::string ago(const Timestamp& time, const Timestamp& now) {
  const std::int64_t seconds = std::max<std::int64_t>(0, now.seconds - time.seconds);
  if (seconds < 120) return cat(seconds, " s");
  if (seconds < 7200) return cat(seconds / 60, " min");
  if (seconds < 172800) return cat(seconds / 3600, " h");
  return cat(seconds / 86400, " days");
}

Value row_of(const CacheEntry& entry, const Timestamp& now, std::size_t digits) {
  const auto text = [](std::string value) { return Value::of(std::move(value)); };
  return Value::of(templates::ValueRecord{
      .type = "cache.Entry",
      .fields = {{"Type", "type", text(std::string(to_string(entry.type)))},
                 {"ID", "id", text(entry.id.substr(0, digits))},
                 {"Description", "description", text(printable(entry.description))},
                 {"Bytes", "bytes", Value::of(static_cast<std::int64_t>(entry.bytes))},
                 {"Size", "size", text(human_size(entry.bytes))},
                 {"Created", "created", text(to_rfc3339({entry.created.seconds, 0}))},
                 {"LastUsed", "lastUsed", text(to_rfc3339({entry.used.seconds, 0}))},
                 {"Age", "age", text(ago(entry.used, now))},
                 {"Shared", "shared", Value::of(entry.shared)},
                 {"InUse", "inUse", Value::of(entry.in_use)}}});
}

Value headers(const std::vector<std::pair<std::string, std::string>>& titles) {
  templates::ValueRecord record{.type = "headers"};
  for (const auto& [name, title] : titles) record.fields.push_back({name, {}, Value::of(title)});
  return Value::of(std::move(record));
}

/// "table" and "json", or the user's template.
void print_rows(std::string format, const std::string& table, const std::vector<Value>& rows,
                const std::vector<std::pair<std::string, std::string>>& titles) {
  std::string out;
  if (format == "json") {
    out = cat(templates::to_json(Value::of(templates::ValueList{.items = rows}), {.indent = 2}),
              "\n");
  } else {
    if (format == "table") format = cat("table ", table);
    templates::render_format(format, rows, {.name = "cache", .headers = headers(titles)}, out);
  }
  print(out);
}

std::vector<CacheEntry> matching(LocalStore& store, const CacheFilters& filters) {
  std::vector<CacheEntry> entries = cache_entries(store);
  const Timestamp now = system_now();
  std::erase_if(entries, [&](const CacheEntry& entry) { return !filters.match(entry, now); });
  return entries;
}

int run_ls(const Arguments& arguments, const Environment& environment) {
  const CacheFilters filters = read_cache_filters(arguments);
  Stores stores(environment);
  const std::vector<CacheEntry> entries = matching(stores.local(), filters);
  if (arguments.flag("quiet")) {
    for (const CacheEntry& entry : entries) print(cat(entry.id, "\n"));
    return 0;
  }
  const std::string format = arguments.value_or("format", "table");
  const bool whole = arguments.flag("no-trunc") || format != "table";
  const Timestamp now = system_now();
  std::vector<Value> rows;
  for (const CacheEntry& entry : entries)
    rows.push_back(row_of(entry, now, whole ? std::string::npos : kShortId));
  print_rows(format, "{{.Type}}\t{{.ID}}\t{{.Size}}\t{{.Age}}\t{{.Shared}}\t{{.Description}}", rows,
             {{"Type", "TYPE"},
              {"ID", "ID"},
              {"Description", "DESCRIPTION"},
              {"Size", "SIZE"},
              {"Bytes", "BYTES"},
              {"Created", "CREATED"},
              {"LastUsed", "LAST USED"},
              {"Age", "UNUSED FOR"},
              {"Shared", "SHARED"},
              {"InUse", "IN USE"}});
  return 0;
}

struct Usage {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t reclaimable = 0;
  void add(const CacheEntry& entry) {
    ++count;
    bytes += entry.bytes;
    if (!entry.shared && !entry.in_use) reclaimable += entry.bytes;
  }
};

Value row_of(std::string_view name, const Usage& usage) {
  return Value::of(templates::ValueRecord{
      .type = "cache.Usage",
      .fields = {{"Type", "type", Value::of(std::string(name))},
                 {"Count", "count", Value::of(static_cast<std::int64_t>(usage.count))},
                 {"Bytes", "bytes", Value::of(static_cast<std::int64_t>(usage.bytes))},
                 {"Size", "size", Value::of(human_size(usage.bytes))},
                 {"ReclaimableBytes", "reclaimableBytes",
                  Value::of(static_cast<std::int64_t>(usage.reclaimable))},
                 {"Reclaimable", "reclaimable", Value::of(human_size(usage.reclaimable))}}});
}

int run_du(const Arguments& arguments, const Environment& environment) {
  const CacheFilters filters = read_cache_filters(arguments);
  Stores stores(environment);
  std::map<Type, Usage> types;
  Usage total;
  for (const CacheEntry& entry : matching(stores.local(), filters)) {
    types[entry.type].add(entry);
    total.add(entry);
  }
  std::vector<Value> rows;
  for (const auto& [type, usage] : types) rows.push_back(row_of(to_string(type), usage));
  rows.push_back(row_of("total", total));
  print_rows(arguments.value_or("format", "table"),
             "{{.Type}}\t{{.Count}}\t{{.Size}}\t{{.Reclaimable}}", rows,
             {{"Type", "TYPE"},
              {"Count", "COUNT"},
              {"Size", "SIZE"},
              {"Bytes", "BYTES"},
              {"Reclaimable", "RECLAIMABLE"},
              {"ReclaimableBytes", "RECLAIMABLE BYTES"}});
  return 0;
}

/// What is to go of the entries that the filters chose.
std::vector<CacheEntry> doomed(std::vector<CacheEntry> chosen, std::uint64_t total,
                               std::optional<std::uint64_t> keep) {
  if (!keep) return chosen;
  std::sort(chosen.begin(), chosen.end(),
            [](const CacheEntry& a, const CacheEntry& b) { return a.used < b.used; });
  std::size_t count = 0;
  for (; count < chosen.size() && total > *keep; ++count)
    total -= std::min(total, chosen[count].bytes);
  chosen.resize(count);
  return chosen;
}

int run_prune_cache(const Arguments& arguments, const Environment& environment) {
  const CacheFilters filters = read_cache_filters(arguments);
  std::optional<std::uint64_t> keep;
  if (const auto size = arguments.value("keep-storage")) keep = cache_bytes(*size);
  const bool all = arguments.flag("all");
  Stores stores(environment);
  LocalStore& store = stores.local();
  std::uint64_t total = 0;
  std::vector<CacheEntry> entries = cache_entries(store);
  for (const CacheEntry& entry : entries) total += entry.bytes;
  const Timestamp now = system_now();
  std::erase_if(entries, [&](const CacheEntry& entry) {
    if (entry.in_use || !filters.match(entry, now)) return true;
    // Caches that steps filled, and what images have anyway, go when they are meant.
    const bool precious = entry.type == Type::mount || entry.shared;
    return precious && !all && !filters.names_entries() && !filters.shared;
  });
  const PruneReport report =
      with_context([] { return std::string("cache prune"); },
                   [&] { return store.prune_cache(doomed(std::move(entries), total, keep)); });
  print(cat("removed ", report.steps, " step results, ", report.snapshots, " unpacked layers, ",
            report.cache_mounts, " cache mounts, ", report.blobs,
            " blobs: ", human_size(report.bytes), "\n"));
  return 0;
}

/// The one entry of that type that `id` names: its digits' beginning, or a mount's id as written.
CacheEntry entry_named(LocalStore& store, Type type, const std::string& id) {
  std::vector<CacheEntry> found;
  for (CacheEntry& entry : cache_entries(store)) {
    if (entry.type != type) continue;
    if (entry.id == id || (type == Type::mount && entry.description == id)) return entry;
    if (id.size() >= kLeastId && entry.id.starts_with(id)) found.push_back(std::move(entry));
  }
  if (found.size() == 1) return found.front();
  if (found.empty())
    throw Error(Errc::not_found, cat("there is no ", to_string(type), " ", quoted(id)));
  throw Error(Errc::invalid_argument,
              cat(quoted(id), " is the beginning of ", found.size(), " IDs"));
}

int run_logs(const Arguments& arguments, const Environment& environment) {
  Stores stores(environment);
  LocalStore& store = stores.local();
  const CacheEntry entry = entry_named(store, Type::log, arguments.positional().front());
  const auto text = read_kept(store, kLogsDir, entry.file, kMaxLog);
  if (!text) throw Error(Errc::not_found, "the log is gone");
  print(*text);
  return 0;
}

/// Standard output as a sink that fails as print() does.
class OutputSink final : public Sink {
 public:
  void write(ByteView data) override { print(chars_of(data)); }
};

int run_export(const Arguments& arguments, const Environment& environment) {
  if (is_terminal(Stream::output))
    throw UsageError("a tar is not for a terminal: redirect the output");
  Stores stores(environment);
  LocalStore& store = stores.local();
  const CacheEntry entry = entry_named(store, Type::mount, arguments.positional().front());
  const auto root = std::make_shared<const DirFd>(open_dir(cache_mount_path(store, entry)));
  const std::vector<LayerEntry> files = diff({}, capture(*root), *root, root);
  OutputSink out;
  write_tar(files, out, {});
  return 0;
}

constexpr std::array<OptionSpec, 4> kLsOptions = {{
    {.name = "filter",
     .value = "KEY=VALUE",
     .help = "only these: id=, type=, until= (unused for so long), shared=, inuse=, description=",
     .repeats = true},
    {.name = "format", .value = "FORMAT", .help = "table, json, or a Go template"},
    {.name = "no-trunc", .help = "print whole IDs"},
    {.name = "quiet", .letter = 'q', .help = "print IDs only"},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kLsGroups = {kLsOptions};
constexpr std::array<OptionSpec, 2> kDuOptions = {{
    {.name = "filter",
     .value = "KEY=VALUE",
     .help = "only these, as for 'lade cache ls'",
     .repeats = true},
    {.name = "format", .value = "FORMAT", .help = "table, json, or a Go template"},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kDuGroups = {kDuOptions};
constexpr std::array<OptionSpec, 3> kPruneCacheOptions = {{
    {.name = "all", .letter = 'a', .help = "also cache mounts, and what images have too"},
    {.name = "filter",
     .value = "KEY=VALUE",
     .help = "only these, as for 'lade cache ls'",
     .repeats = true},
    {.name = "keep-storage",
     .value = "SIZE",
     .help = "remove what was not used for longest, until no more than this is left"},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kPruneCacheGroups = {kPruneCacheOptions};

constexpr std::array<std::string_view, 4> kLsExamples = {
    "Steps that were not used for a week",
    "lade cache ls --filter type=step --filter until=7d",
    "Cache mounts and their sizes",
    "lade cache ls --filter type=mount --format '{{.Description}} {{.Size}}'",
};
constexpr std::array<std::string_view, 4> kPruneExamples = {
    "Keep what was used last, 10 GB of it",
    "lade cache prune --keep-storage 10GB",
    "Remove one cache mount",
    "lade cache prune --filter type=mount --filter id=/root/.cache",
};
constexpr std::array<std::string_view, 2> kDuExamples = {"How much cache mounts take",
                                                         "lade cache du --filter type=mount"};
constexpr std::array<std::string_view, 2> kLogsExamples = {
    "What a failed step printed, by the ID in its message", "lade cache logs 0e4dbebd2189"};
constexpr std::array<std::string_view, 2> kExportExamples = {
    "Keep a cache mount", "lade cache export /root/.cache > cache.tar"};

}  // namespace

const VerbSpec kCacheLsVerb = {
    .name = "cache ls",
    .synopsis = "",
    .summary = "list what makes builds fast",
    .description =
        "Lists what the local store keeps to make builds fast: results of steps, unpacked layers, "
        "cache mounts, digests of build contexts' files, logs of steps, and records of what steps "
        "depended on.",
    .options = kLsGroups,
    .examples = kLsExamples,
    .run = run_ls,
    .group = "Build",
};

const VerbSpec kCacheDuVerb = {
    .name = "cache du",
    .synopsis = "",
    .summary = "sum up what makes builds fast",
    .description =
        "Prints how many entries of each type the cache has, their disk space, and how "
        "much of it would be freed by removing them.",
    .options = kDuGroups,
    .examples = kDuExamples,
    .run = run_du,
    .group = "Build",
};

const VerbSpec kCachePruneVerb = {
    .name = "cache prune",
    .synopsis = "",
    .summary = "remove what makes builds fast",
    .description =
        "Removes entries of the cache, all images stay. Without filters everything goes but cache "
        "mounts and what images have too; filters narrow that, and those of id or type name such "
        "entries as well. What a running build uses is never removed: the command fails while "
        "another uses the store.",
    .options = kPruneCacheGroups,
    .examples = kPruneExamples,
    .run = run_prune_cache,
    .in_user_namespace = true,
    .group = "Build",
};

const VerbSpec kCacheLogsVerb = {
    .name = "cache logs",
    .synopsis = "ID",
    .summary = "print what a build step printed",
    .description =
        "Prints what the step ID printed when it was executed last, whether it failed or not; of "
        "much output the beginning and the end. ID is the beginning of a step's ID in 'lade cache "
        "ls', or what the message of a failed step says.",
    .examples = kLogsExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_logs,
    .group = "Build",
};

const VerbSpec kCacheExportVerb = {
    .name = "cache export",
    .synopsis = "ID",
    .summary = "write a cache mount as a tar",
    .description =
        "Writes what the cache mount ID (RUN --mount=type=cache) holds to standard "
        "output, as a tar. ID is its id as written, or the beginning of its ID in 'lade "
        "cache ls'.",
    .examples = kExportExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_export,
    .group = "Build",
};

}  // namespace lade::tools
