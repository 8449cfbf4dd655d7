#include "libimage/store/store.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/store/text_source.h"

namespace lade {

namespace {

bool is_mismatch(const Error& error) {
  return error.code() == Errc::digest_mismatch || error.code() == Errc::size_mismatch;
}

/// Verified content of one of several places.
class ReplaceableSource final : public Source {
 public:
  ReplaceableSource(std::unique_ptr<Source> verified, std::function<bool()> distrust)
      : verified_(std::move(verified)), distrust_(std::move(distrust)) {}

  std::size_t read(std::span<std::byte> out) override {
    try {
      return verified_->read(out);
    } catch (const Error& e) {
      if (!is_mismatch(e) || !distrust_()) throw;
      throw Error(Errc::unavailable, cat(e.what(), "; it will be read anew"), e.detail());
    }
  }

 private:
  std::unique_ptr<Source> verified_;
  std::function<bool()> distrust_;
};

}  // namespace

std::unique_ptr<Source> Reader::open(const oci::Descriptor& blob) {
  OpenedBlob opened = blob.data ? OpenedBlob{.source = std::make_unique<TextSource>(*blob.data)}
                                : do_open_somewhere(blob);
  auto verified =
      std::make_unique<VerifyingSource>(std::move(opened.source), blob.digest, blob.size);
  if (!opened.distrust) return verified;
  return std::make_unique<ReplaceableSource>(std::move(verified), std::move(opened.distrust));
}

std::unique_ptr<Source> Reader::open_at(const oci::Descriptor& blob, std::uint64_t offset) {
  if (offset > blob.size) {
    throw Error(Errc::invalid_argument,
                cat("byte ", offset, " is behind the end of ", blob.digest.str()));
  }
  if (!blob.data) return do_open_at(blob, offset);
  if (offset > blob.data->size())
    throw Error(Errc::size_mismatch, "the descriptor's data is short");
  return std::make_unique<TextSource>(blob.data->substr(offset));
}

std::unique_ptr<Source> Reader::do_open_at(const oci::Descriptor& blob, std::uint64_t offset) {
  std::unique_ptr<Source> source = do_open(blob);
  std::array<std::byte, 65536> buffer;
  for (std::uint64_t left = offset; left > 0;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const std::size_t got = source->read(std::span(buffer).first(want));
    if (got == 0) throw Error(Errc::size_mismatch, cat("ends at byte ", offset - left));
    left -= got;
  }
  return source;
}

void Writer::put_signatures(const oci::Descriptor& document,
                            const std::vector<std::string>& /*signatures*/) {
  throw Error(Errc::unsupported,
              cat("sign ", document.digest.str(), ": no signatures can be kept there"));
}

void Writer::remove(const TagOrDigest& reference) {
  (void)reference;
  throw Error(Errc::unsupported, "nothing can be deleted from this kind of place");
}

oci::Document Reader::document(const oci::Descriptor& descriptor) {
  const auto what = [&] { return cat("read document ", descriptor.digest.str()); };
  return with_context(what, [&] {
    if (descriptor.size > oci::kMaxManifestBytes) {
      throw Error(Errc::limit_exceeded, cat(descriptor.size, " bytes are more than the ",
                                            oci::kMaxManifestBytes, " that a document may have"));
    }
    std::string raw = document_text(descriptor);
    return oci::parse_document(descriptor, std::move(raw));
  });
}

std::string Reader::document_text(const oci::Descriptor& descriptor) {
  constexpr std::string_view kWhat = "the document";
  if (descriptor.data) return read_all(*open(descriptor), oci::kMaxManifestBytes, kWhat);
  for (;;) {  // each round gives up one place more
    OpenedBlob opened = do_open_somewhere(descriptor);
    try {
      VerifyingSource source(std::move(opened.source), descriptor.digest, descriptor.size);
      return read_all(source, oci::kMaxManifestBytes, kWhat);
    } catch (const Error& e) {
      if (!is_mismatch(e) || !opened.distrust || !opened.distrust()) throw;
    }
  }
}

struct Session::State {
  std::recursive_mutex mutex;                           // a maker may ask for other shared state
  std::map<std::string, std::shared_ptr<void>> values;  // guarded by mutex
};

Session::Session(SessionOptions options)
    : options_(std::move(options)), state_(std::make_unique<State>()) {}

Session::~Session() = default;

std::shared_ptr<void> Session::shared_untyped(const std::string& key,
                                              const std::function<std::shared_ptr<void>()>& make) {
  const std::scoped_lock lock(state_->mutex);
  if (const auto found = state_->values.find(key); found != state_->values.end()) {
    return found->second;
  }
  std::shared_ptr<void> value = make();
  state_->values.emplace(key, value);
  return value;
}

}  // namespace lade
