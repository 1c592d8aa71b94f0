# Triton with what the Python part of model packages needs, as `hmz-backend triton install` has it.

FROM nvcr.io/nvidia/tritonserver:25.06-py3
RUN pip install --no-cache-dir "bioimageio.core==0.11.0" "numpy>=1.26.4,<2" onnxruntime-gpu scikit-image scipy
