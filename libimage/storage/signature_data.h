/// Where an image's record keeps the signatures of its manifests: for each manifest one data item
/// with all of them, one behind the other, and their sizes in the record's metadata.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/storage/records.h"

namespace lade {

/// A data item and how it is cut.
struct SignatureData {
  std::string key = {};  ///< "": there are no signatures
  std::vector<std::uint64_t> sizes = {};
};

/// The signatures of the manifest `digest`, which the record has. Error{invalid_content} for
/// metadata that is no JSON object, or sizes that are none.
SignatureData signatures_in(const ImageRecord& record, const Digest& digest);

/// Cuts a data item. Error{invalid_content} if the sizes are not those of the text.
std::vector<std::string> cut_signatures(std::string_view text, const SignatureData& data);

/// Writes a data item, and has the record name it.
using AddData =
    std::function<void(const std::string& key, const std::string& text, const Digest& digest)>;

/// Records the signatures of the manifest or list `digest`: for it, and for the image itself, as
/// older programs look for them.
void add_signatures(ImageRecord& record, const Digest& digest,
                    const std::vector<std::string>& signatures, const AddData& add);

/// The data item for a manifest: "signature-HEX"; and for the image itself.
std::string signature_key(const Digest& digest);
inline constexpr std::string_view kSignatureKey = "signatures";

}  // namespace lade
