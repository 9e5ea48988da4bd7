"""What tests of the product, ours and others', are made with: kits that judge by a contract."""
