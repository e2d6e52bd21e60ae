"""问渠 Wenqu: answers questions from a folder of Chinese articles and marks the sentence that proves the answer."""
