#include "libimage/files/image_files.h"

#include <algorithm>
#include <array>
#include <deque>

#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/files/content.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/io/pipe.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/whiteout.h"
#include "libimage/oci/media_type.h"
#include "libimage/seekable/seekable.h"

namespace lade::files {
namespace {

// Smaller layers are as quickly read as their indexes.
constexpr std::uint64_t kWorthKeeping = std::uint64_t{256} << 10U;
// A layer without annotations is asked for a footer where reading it whole would cost more.
constexpr std::uint64_t kWorthAsking = std::uint64_t{4} << 20U;
constexpr std::uint64_t kMaxIndexFile = std::uint64_t{512} << 20U;
constexpr std::size_t kMaxKeptIndexes = 256;

/// Indexes of layers in the user's cache directory.
class IndexCache {
 public:
  explicit IndexCache(const std::string& cache_dir) {
    if (!cache_dir.empty()) path_ = cat(cache_dir, "/files");
  }

  std::optional<LayerFiles> load(const Digest& layer, FilePool& pool) const {
    if (path_.empty()) return std::nullopt;
    try {
      return read_index(read_file(cat(path_, "/", name_of(layer)), kMaxIndexFile), pool);
    } catch (const Error&) {
      return std::nullopt;  // not kept, or not readable: the layer is read again
    }
  }

  [[nodiscard]] bool has(const Digest& layer) const {
    struct stat st {};
    return !path_.empty() && ::stat(cat(path_, "/", name_of(layer)).c_str(), &st) == 0;
  }

  void keep(const Digest& layer, const LayerFiles& files, const FilePool& pool) const {
    if (path_.empty()) return;
    try {
      const DirFd dir = create_dir(path_, 0700);
      const DirFd listed = open_dir(path_);
      drop_oldest(listed);
      AtomicFile file(dir, name_of(layer), 0600);
      file.write(bytes_of(write_index(files, pool)));
      file.commit();
    } catch (const Error&) {
      // A cache that cannot be written helps nobody, but it is no reason to fail.
    }
  }

 private:
  static std::string name_of(const Digest& layer) {
    return cat(layer.algorithm(), "-", layer.encoded());
  }

  static void drop_oldest(const DirFd& dir) {
    const std::vector<std::string> names = list_names(dir);
    if (names.size() < kMaxKeptIndexes) return;
    std::vector<std::pair<std::int64_t, std::string>> by_age;
    for (const std::string& name : names) {
      if (const auto st = stat_entry(dir, name)) by_age.emplace_back(st->st_mtim.tv_sec, name);
    }
    std::sort(by_age.begin(), by_age.end());
    by_age.resize(std::min(by_age.size(), names.size() - kMaxKeptIndexes / 2));
    for (const auto& [time, name] : by_age) (void)::unlinkat(dir.get(), name.c_str(), 0);
  }

  std::string path_;
};

/// Stops a long read where the user has.
class StoppableSource final : public Source {
 public:
  StoppableSource(std::unique_ptr<Source> source, std::stop_token stop)
      : source_(std::move(source)), stop_(std::move(stop)) {}
  std::size_t read(std::span<std::byte> out) override {
    if (stop_.stop_requested()) throw Cancelled();
    return source_->read(out);
  }

 private:
  std::unique_ptr<Source> source_;
  std::stop_token stop_;
};

/// The content of the current entry of a tar.
class EntryContent final : public Source {
 public:
  explicit EntryContent(TarReader& reader) : reader_(reader) {}
  std::size_t read(std::span<std::byte> out) override { return reader_.read(out); }

 private:
  TarReader& reader_;
};

}  // namespace

struct ImageFiles::State {
  struct Layer {
    Layer(Reader& reader, const oci::Descriptor& listed)
        : served(reader.served_as(listed)), content(reader, served) {}
    oci::Descriptor served;
    LayerContent content;
    std::optional<LayerFiles> files = {};
    LayerFiles alone_rows = {};
    std::unique_ptr<MergedFiles> alone = {};
  };

  State(Reader& r, const oci::Manifest& manifest, ImageFilesOptions o)
      : reader(r), options(std::move(o)), cache(options.cache_dir) {
    for (const oci::Descriptor& layer : manifest.layers) layers.emplace_back(reader, layer);
  }

  Layer& loaded(std::size_t number);
  void load(Layer& layer);
  bool load_table(Layer& layer);
  void load_tar(Layer& layer);
  void warn(const std::string& text) const {
    if (options.observer != nullptr) {
      options.observer->notify({.kind = ProgressEvent::Kind::warning, .note = text});
    }
  }

  Reader& reader;
  ImageFilesOptions options;
  IndexCache cache;
  FilePool pool;
  std::deque<Layer> layers;  // they refer to themselves
  std::unique_ptr<MergedFiles> merged;
  std::unique_ptr<MergedFiles> partial;
};

ImageFiles::State::Layer& ImageFiles::State::loaded(std::size_t number) {
  Layer& layer = layers.at(number);
  if (!layer.files) {
    with_context([&] { return cat("layer ", number + 1, " (", layer.served.digest.brief(), ")"); },
                 [&] { load(layer); });
  }
  return layer;
}

void ImageFiles::State::load(Layer& layer) {
  const std::string_view codec = oci::layer_codec(layer.served.media_type);
  if (oci::is_encrypted(layer.served.media_type)) {
    throw Error(Errc::unsupported, "it is encrypted");
  }
  if (auto kept = cache.load(layer.served.digest, pool)) {
    layer.files = *std::move(kept);
  } else if (codec == "identity" || !load_table(layer)) {
    load_tar(layer);
  }
}

/// False if there is no table that can be used.
bool ImageFiles::State::load_table(Layer& layer) {
  using Tables = ImageFilesOptions::Tables;
  const bool promised = seekable_format_of(layer.served).has_value();
  if (options.tables == Tables::none || (!promised && options.tables == Tables::verified)) {
    return false;
  }
  if (!promised && layer.served.size < kWorthAsking) return false;
  try {
    auto table = read_table_of_contents(layer.served, layer.content.ranges());
    if (!table || (options.tables == Tables::verified && !table->verified)) return false;
    layer.files = files_of_table(std::make_shared<const TableOfContents>(*std::move(table)), pool);
    return true;
  } catch (const Error& e) {
    const bool bad_table = e.code() == Errc::invalid_content || e.code() == Errc::unsupported ||
                           e.code() == Errc::digest_mismatch || e.code() == Errc::limit_exceeded;
    if (!bad_table) throw;
    warn(cat(e.what(), "; reading the whole layer instead"));
    return false;
  }
}

void ImageFiles::State::load_tar(Layer& layer) {
  LayerFiles files;
  SeekTable seek;
  {
    const bool keeps = !options.cache_dir.empty();
    auto tar = layer.content.open_tar(keeps ? &seek : nullptr, files.plain);
    StoppableSource stoppable(std::make_unique<ReadAheadSource>(std::move(tar)), options.stop);
    scan_layer(stoppable, pool, files);
  }
  if (seek.places() != 0) files.seek = std::make_shared<const SeekTable>(std::move(seek));
  if (layer.served.size >= kWorthKeeping) cache.keep(layer.served.digest, files, pool);
  layer.files = std::move(files);
}

ImageFiles::ImageFiles(Reader& reader, const oci::Manifest& manifest, ImageFilesOptions options)
    : state_(std::make_unique<State>(reader, manifest, std::move(options))) {}

ImageFiles::~ImageFiles() = default;

std::size_t ImageFiles::layers() const noexcept { return state_->layers.size(); }

const oci::Descriptor& ImageFiles::descriptor(std::size_t layer) const {
  return state_->layers.at(layer).served;
}

FilePool& ImageFiles::pool() noexcept { return state_->pool; }

const LayerFiles& ImageFiles::layer(std::size_t number) { return *state_->loaded(number).files; }

MergedFiles& ImageFiles::merged() {
  if (!state_->merged) {
    for (std::size_t i = layers(); i-- > 0;) (void)layer(i);
    auto merged = std::make_unique<MergedFiles>(state_->pool);
    for (std::size_t i = 0; i < layers(); ++i) {
      merged->add(layer(i), static_cast<std::uint32_t>(i));
    }
    state_->merged = std::move(merged);
  }
  return *state_->merged;
}

const MergedFiles& ImageFiles::alone(std::size_t number) {
  State::Layer& layer = state_->loaded(number);
  if (!layer.alone) {
    layer.alone_rows.rows = layer.files->rows;
    for (FileRow& row : layer.alone_rows.rows) {
      if (row.kind == FileKind::opaque) {
        row.path = state_->pool.paths.child(row.path, std::string(kOpaqueName));
        row.kind = FileKind::character;
      } else if (row.kind == FileKind::whiteout) {
        row.kind = FileKind::character;
      }
    }
    layer.alone = std::make_unique<MergedFiles>(state_->pool, MergedFiles::Below::unknown);
    layer.alone->add(layer.alone_rows, static_cast<std::uint32_t>(number));
  }
  return *layer.alone;
}

std::unique_ptr<MergedFiles> ImageFiles::merged_from(std::size_t lowest) {
  for (std::size_t i = lowest; i < layers(); ++i) (void)layer(i);
  auto some = std::make_unique<MergedFiles>(state_->pool, MergedFiles::Below::unknown);
  for (std::size_t i = lowest; i < layers(); ++i) {
    some->add(layer(i), static_cast<std::uint32_t>(i));
  }
  return some;
}

bool ImageFiles::is_near(std::size_t number) const {
  const State::Layer& layer = state_->layers.at(number);
  return layer.files || seekable_format_of(layer.served) || !state_->reader.origin() ||
         state_->cache.has(layer.served.digest);
}

ImageFiles::Found ImageFiles::find(std::string_view path, MergedFiles::Last last) {
  const auto answer = [&](const MergedFiles& files) {
    return Found{.files = &files, .path = files.find(path, last).path};
  };
  if (state_->merged) return answer(*state_->merged);
  for (std::size_t lowest = layers(); lowest-- > 1;) {
    auto some = merged_from(lowest);
    const MergedFiles::Found found = some->find(path, last);
    if (found.certain) {
      state_->partial = std::move(some);
      return {.files = state_->partial.get(), .path = found.path};
    }
  }
  return answer(merged());
}

std::unique_ptr<Source> ImageFiles::open(RowRef ref) {
  const State::Layer& layer = state_->loaded(ref.layer);
  return layer.content.open(*layer.files, layer.files->rows.at(ref.row), state_->pool);
}

bool ImageFiles::is_verified(RowRef ref) {
  const LayerFiles& files = layer(ref.layer);
  const FileRow& row = files.rows.at(ref.row);
  return (!files.table || files.table->verified) && (row.digest != 0 || row.size == 0);
}

void ImageFiles::read_files(std::size_t number, const std::vector<std::uint32_t>& wanted,
                            const Visit& visit) {
  const State::Layer& layer = state_->loaded(number);
  const std::vector<FileRow>& rows = layer.files->rows;
  std::uint64_t bytes = 0;
  for (const std::uint32_t row : wanted) bytes += rows.at(row).size;
  constexpr std::uint64_t kFewFiles = 8;
  const bool one_by_one = layer.files->table != nullptr ||
                          (LayerContent::can_enter(*layer.files) && wanted.size() <= kFewFiles &&
                           bytes < layer.files->content_bytes / 4);
  if (one_by_one || wanted.empty()) {
    for (const std::uint32_t row : wanted) {
      const auto content = layer.content.open(*layer.files, rows[row], state_->pool);
      visit(row, *content);
    }
    return;
  }
  bool plain = false;
  StoppableSource tar(std::make_unique<ReadAheadSource>(layer.content.open_tar(nullptr, plain)),
                      state_->options.stop);
  TarReader reader(tar);
  auto next = wanted.begin();
  while (next != wanted.end() && reader.next()) {
    if (reader.position() != rows[*next].place) continue;
    const auto content =
        verified(std::make_unique<EntryContent>(reader), rows[*next], state_->pool);
    visit(*next++, *content);
  }
  if (next != wanted.end()) {
    throw Error(Errc::invalid_content, "the layer does not hold the files any more");
  }
}

}  // namespace lade::files
