#pragma once

namespace nlvr {

/// Has the calling thread take float results below the normal range as zero, and such inputs too, from now on.
///
/// A softmax makes many of them, and some CPUs take many times as long for each as for another number.
void flush_subnormals() noexcept;

}  // namespace nlvr
